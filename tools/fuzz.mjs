// Runs every fuzz target for a bounded time: ./build.sh fuzz [SECONDS [TARGET...]]
// What libFuzzer finds interesting is kept in target/fuzz/corpus/ for the next run; what fails is left in
// fuzz/artifacts/ and ends the run with an error. CARGO_FUZZ is the path of cargo-fuzz.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { repository } from './serve.mjs';

const [seconds = '60', ...chosen] = process.argv.slice(2);
if (!(Number(seconds) > 0)) {
  console.error(`fuzz: expected a number of seconds for each target, found "${seconds}"`);
  process.exit(2);
}
const known = readdirSync(path.join(repository, 'fuzz/fuzz_targets')).map((file) => path.basename(file, '.rs'));
const unknown = chosen.filter((target) => !known.includes(target));
if (unknown.length > 0) {
  console.error(`fuzz: there is no target ${unknown.join(', ')}: expected some of ${known.join(', ')}`);
  process.exit(2);
}

// Inputs that other tests own and that are worth mutating.
const alsoSeeds = { pth: ['tests/golden/pth'] };
// One input may not take longer, nor allocate at once more than twice the cap that the targets hold themselves.
const limits = ['-timeout=10', '-rss_limit_mb=1024', '-malloc_limit_mb=128', '-max_len=65536', '-print_final_stats=1'];

/** Runs cargo-fuzz; RUSTC_BOOTSTRAP lets a release compiler count coverage. */
function cargoFuzz(...args) {
  // Safe Rust: what the address sanitizer looks for cannot happen, and without it twice as many inputs pass.
  const options = ['--fuzz-dir', 'fuzz', '--sanitizer', 'none', '--target-dir', 'target/fuzz'];
  const [verb, ...rest] = args;
  return spawnSync(process.env.CARGO_FUZZ ?? 'cargo-fuzz', [verb, ...options, ...rest], {
    cwd: repository,
    env: { ...process.env, RUSTC_BOOTSTRAP: '1' },
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

const built = cargoFuzz('build');
if (built.status !== 0) {
  console.error(built.stderr ?? built.error);
  process.exit(1);
}
let failed = 0;
for (const target of chosen.length > 0 ? chosen : known) {
  const corpus = `target/fuzz/corpus/${target}`;
  mkdirSync(path.join(repository, corpus), { recursive: true });
  const seeds = [`fuzz/corpus/${target}`, ...(alsoSeeds[target] ?? [])].filter((seed) =>
    existsSync(path.join(repository, seed)),
  );
  const dictionary = `fuzz/dictionaries/${target}.dict`;
  const words = existsSync(path.join(repository, dictionary)) ? [`-dict=${dictionary}`] : [];
  const run = cargoFuzz('run', target, corpus, ...seeds, '--', `-max_total_time=${seconds}`, ...limits, ...words);
  const executed = /stat::number_of_executed_units:\s*(\d+)/.exec(run.stderr)?.[1];
  const covered = [...run.stderr.matchAll(/cov: (\d+)/g)].at(-1)?.[1];
  console.log(
    `${target}: ${executed ?? 'an unknown number of'} inputs, ${covered ?? 'no'} edges covered: ${run.status === 0 ? 'nothing found' : 'FAILED'}`,
  );
  if (run.status !== 0) {
    failed += 1;
    console.error(run.stderr.split('\n').slice(-60).join('\n'));
  }
}
process.exit(failed > 0 ? 1 : 0);
