// What the project is made of: ./build.sh audit [--strict]
// Licences, bans and sources are held always. Advisories need a database from the network: where it cannot be had
// that is said, and with --strict it is a failure. CARGO_DENY is the path of cargo-deny.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { repository } from './serve.mjs';

const strict = process.argv.includes('--strict');
const outcomes = { passed: 'passed', failed: 'FAILED', notMade: 'NOT MADE' };

function run(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: repository,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}${error ? error.message : ''}` };
}

function deny(...checks) {
  const { status, text } = run(
    process.env.CARGO_DENY ?? 'cargo-deny',
    '--locked',
    'check',
    '--hide-inclusion-graph',
    ...checks,
  );
  if (status === 0) return { outcome: 'passed' };
  const unreachable = checks.includes('advisories') && /failed to fetch advisory database|unable to fetch/i.test(text);
  return { outcome: unreachable ? 'notMade' : 'failed', text };
}

const lock = (folder) => JSON.parse(readFileSync(path.join(repository, folder, 'package-lock.json'), 'utf8'));
/** What npm's developer tools here may be under; none of them is shipped. */
const npmLicences =
  /^(\(?(MIT|ISC|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|Python-2\.0|BlueOak-1\.0\.0|0BSD|CC0-1\.0|LGPL-3\.0-or-later|LibPNG|Zlib|MPL-2\.0)( (AND|OR) )?)+\)?$/;

/** Every package of a lock file comes from the registry with a checksum, under a licence that is known. */
function npmLock(folder) {
  const wrong = [];
  for (const [name, { integrity, resolved, license, link }] of Object.entries(lock(folder).packages)) {
    if (name === '' || link) continue;
    if (!/^sha512-/.test(integrity ?? '')) wrong.push(`${name} has no SHA-512`);
    // Lock files leave out the registry's addresses (.npmrc): one that is there is another's.
    if (resolved) wrong.push(`${name} comes from ${resolved}`);
    if (!npmLicences.test(license ?? '')) wrong.push(`${name} has the licence ${license}`);
  }
  return wrong.length === 0 ? { outcome: 'passed' } : { outcome: 'failed', text: wrong.join('\n') };
}

function npmAdvisories() {
  const { status, text } = run('npm', 'audit', '--audit-level=high');
  if (status === 0) return { outcome: 'passed' };
  const unreachable = /audit endpoint returned an error|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN/.test(text);
  return { outcome: unreachable ? 'notMade' : 'failed', text };
}

/** The published package depends on nothing: what is optional are peers that a project has already. */
function noDependencies() {
  const { dependencies, optionalDependencies, scripts } = JSON.parse(
    readFileSync(path.join(repository, 'www/lib/package.json'), 'utf8'),
  );
  const found = Object.entries({ dependencies, optionalDependencies, scripts })
    .filter(([, value]) => value)
    .map(([name]) => name);
  return found.length === 0
    ? { outcome: 'passed' }
    : { outcome: 'failed', text: `www/lib/package.json has ${found.join(', ')}: the package promises to have none` };
}

const checks = [
  ['Rust: licences, bans, sources', () => deny('licenses', 'bans', 'sources')],
  ['Rust: advisories', () => deny('advisories')],
  ['npm: checksums, registry and licences of the tools', () => npmLock('.')],
  ['npm: checksums, registry and licences of the benchmarks', () => npmLock('benches')],
  ['npm: advisories', npmAdvisories],
  ['npm: the package has no dependencies and runs no script when installed', noDependencies],
];
const results = checks.map(([name, check]) => {
  const { outcome, text = '' } = check();
  console.log(`${outcomes[outcome].padEnd(9)} ${name}`);
  if (outcome !== 'passed')
    console.log(
      text
        .trim()
        .split('\n')
        .slice(-25)
        .map((line) => `          ${line}`)
        .join('\n'),
    );
  return outcome;
});
const count = (outcome) => results.filter((result) => result === outcome).length;
if (count('notMade') > 0) {
  console.log(
    `\n${count('notMade')} checks were NOT MADE, because their database could not be reached from this machine: run this again on one that can.`,
  );
}
console.log(`\n${count('passed')} of ${results.length} checks passed, ${count('failed')} failed.`);
process.exit(count('failed') > 0 || (strict && count('notMade') > 0) ? 1 : 0);
