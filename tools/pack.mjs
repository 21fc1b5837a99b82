// Makes the npm package: the folder dist/npm and the tarball dist/g-ghostnet-VERSION.tgz.
//   node tools/pack.mjs [--smoke] [--hosts]   then also tries the tarball in fresh projects, and in those of many hosts
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { defaultModel } from '../www/lib/default-model.js';
import { flavours, parts } from '../www/lib/flavours.js';
import { version as named } from '../www/lib/place.js';
import { bundle, www } from './bundle.mjs';
import { scriptsFrom } from './imports.mjs';
import { minify, shipLibrary, told } from './minify.mjs';
import { repository } from './serve.mjs';
import { writeThirdParty } from './third-party.mjs';

/** Most that the scripts of a browser and any one engine have together, compressed. */
const SCRIPTS_AND_ENGINE = 150e3;
/** Most that a part has which is fetched when it is needed, with its own scripts. */
const PART = 135e3;
const TARBALL = 12e6;

const source = path.join(www, 'lib');
const wasm = path.join(repository, 'dist/wasm');
const target = path.join(repository, 'dist/npm');
const inTarget = (...names) => path.join(target, ...names);

const manifest = JSON.parse(await readFile(path.join(source, 'package.json'), 'utf8'));
const cargo = await readFile(path.join(repository, 'Cargo.toml'), 'utf8');
const version = cargo.match(/^version = "(.+)"/m)[1];
if (manifest.version !== version)
  throw new Error(`www/lib/package.json has version ${manifest.version}, Cargo.toml ${version}: make them the same`);
if (named !== version)
  throw new Error(`www/lib/place.js has version ${named}, Cargo.toml ${version}: make them the same`);

async function packScripts() {
  await mkdir(inTarget('lib'), { recursive: true });
  await shipLibrary(inTarget('lib'));
  for (const name of await readdir(source))
    if (name.endsWith('.d.ts')) await cp(path.join(source, name), inTarget('lib', name));
  await writeFile(inTarget('package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const name of ['LICENSE', 'LICENSE-MIT', 'LICENSE-APACHE'])
    await cp(path.join(repository, name), inTarget(name));
}

async function packEngine() {
  for (const { name: flavour } of [...flavours, ...Object.values(parts)]) {
    await mkdir(inTarget('wasm', flavour), { recursive: true });
    await cp(path.join(wasm, flavour, 'g_ghostnet_bg.wasm'), inTarget('wasm', flavour, 'g_ghostnet_bg.wasm'));
    const glue = await readFile(path.join(wasm, flavour, 'g_ghostnet.js'), 'utf8');
    // The library always says where the binary is; a second reference would make bundlers ship it twice.
    const reference = "module_or_path = new URL('g_ghostnet_bg.wasm', import.meta.url);";
    if (!glue.includes(reference))
      throw new Error(`the glue of ${flavour} names its binary in another way than expected: ${reference}`);
    await writeFile(
      inTarget('wasm', flavour, 'g_ghostnet.js'),
      await minify(glue.replace(reference, '') + tellingOf(flavour, glue)),
    );
  }
  const base64 = async (module) => (await readFile(path.join(wasm, module, 'g_ghostnet_bg.wasm'))).toString('base64');
  const inlined = `export const wasm="${await base64('fixed')}",reader="${await base64('reader')}";\n`;
  await writeFile(inTarget('lib/inline-wasm.js'), inlined);
}

/** The end of a module's script, by which its exports are told. */
function tellingOf(flavour, glue) {
  const names = [...glue.matchAll(/^export (?:class|(?:async )?function) (\w+)/gm)].map(([, name]) => name);
  const ending = /^export { initSync, __wbg_init as default };$/m;
  if (names.length === 0 || !ending.test(glue)) throw new Error(`the glue of ${flavour} exports in another way`);
  return `${told(flavour)}={${names},initSync,default:__wbg_init};`;
}

/** The package has the default model; the others are a download away. */
async function packModels() {
  const isOther = (file) => file.endsWith('.safetensors') && path.basename(file) !== defaultModel;
  await cp(path.join(repository, 'models'), inTarget('models'), { recursive: true, filter: (file) => !isOther(file) });
}

/**
 * For a plain script tag: `GGhostNet.load()`. Its other files are found from its own address: that of the script, or on
 * a CDN, which answers the package's name with it, that of the package.
 */
async function packGlobal() {
  await build({
    entryPoints: [inTarget('lib/index.js')],
    outfile: inTarget('g-ghostnet.global.js'),
    bundle: true,
    minify: true,
    format: 'iife',
    globalName: 'GGhostNet',
    target: 'es2022',
    define: { 'import.meta.url': 'ownUrl' },
    banner: {
      js: 'var GGhostNet=(()=>{const own=globalThis.document?.currentScript?.src??location.href,ownUrl=new URL("lib/index.js",/\\.js([?#]|$)/.test(own)?own:own.replace(/\\/?$/,"/")).href;',
    },
    footer: { js: 'return GGhostNet})();' },
    logLevel: 'warning',
  });
}

/** The explorer's elements with the packages that they need. */
const packExplorer = () =>
  bundle({
    entryPoints: { explorer: path.join(www, 'explorer/elements.js') },
    outdir: inTarget('lib'),
    chunkNames: 'explorer-[name]-[hash]',
    library: './',
  });

const integrityOf = async (file) =>
  `sha384-${createHash('sha384')
    .update(await readFile(inTarget(file)))
    .digest('base64')}`;

/** The manual names this version and the hashes of its scripts. */
async function packManual() {
  const text = await readFile(path.join(source, 'README.md'), 'utf8');
  const modules = ['base', 'errors', 'index', 'worker', 'thread', 'similarity-worker', 'teach-worker'].map(
    (name) => `lib/${name}.js`,
  );
  const hashes = await Promise.all(modules.map(async (file) => `${file}  ${await integrityOf(file)}`));
  const filled = text
    .replaceAll('g-ghostnet@VERSION', `g-ghostnet@${version}`)
    .replace('INTEGRITY of g-ghostnet.global.js', await integrityOf('g-ghostnet.global.js'))
    .replace('INTEGRITY of lib/*.js', hashes.join('\n'));
  if (/VERSION|INTEGRITY/.test(filled)) throw new Error('a hash of the manual was not filled in');
  await writeFile(inTarget('README.md'), filled);
}

async function filesIn(folder, below = '') {
  const entries = await readdir(path.join(folder, below), { withFileTypes: true });
  const nested = await Promise.all(
    entries.map((entry) =>
      entry.isDirectory() ? filesIn(folder, path.join(below, entry.name)) : [path.join(below, entry.name)],
    ),
  );
  return nested.flat().sort();
}

/** Only these go out. */
const allowed = [
  /^(package\.json|README\.md|THIRD-PARTY-NOTICES\.md|sbom\.cdx\.json|LICENSE(-MIT|-APACHE)?|g-ghostnet\.global\.js)$/,
  /^lib\/[a-z-]+\.(js|d\.ts)$/,
  /^lib\/explorer-[a-z-]+-[A-Z0-9]{8}\.js$/,
  /^wasm\/[a-z0-9-]+\/g_ghostnet(\.js|_bg\.wasm)$/,
  /^models\/[\w.-]+\.(safetensors|md|txt|LICENSE)$/,
];

/** Every path in the exports map exists. */
async function checkExports() {
  const paths = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(paths));
  const missing = [...paths(manifest.exports), ...Object.values(manifest.bin), manifest.types].filter(
    (file) => !file.includes('*') && !existsSync(inTarget(file)),
  );
  if (missing.length) throw new Error(`the package lacks ${missing.join(', ')}`);
}

/** What a browser downloads that uses the main entry, in a worker: its scripts, and each module with its own. */
async function measure() {
  const gzipped = async (file) => gzipSync(await readFile(file), { level: 9 }).length;
  const scripts = (...names) => scriptsFrom(names.map((name) => inTarget('lib', name)));
  const always = await scripts('index.js', 'worker.js');
  const also = async (...names) => (await scripts(...names)).filter((file) => !always.includes(file));
  const withModule = {
    similarity: await also('analysis.js', 'similarity.js', 'similarity-worker.js'),
    teach: await also('analysis.js', 'teacher.js', 'teach-store.js', 'teach-worker.js'),
    edit: await also('analysis.js'),
  };
  const sum = async (files) => (await Promise.all(files.map(gzipped))).reduce((a, b) => a + b, 0);
  const engines = [];
  for (const { name, threads } of [...flavours, ...Object.values(parts)]) {
    const own = [...(withModule[name] ?? []), ...(threads ? [inTarget('lib/thread.js')] : [])];
    engines.push({
      name,
      glue: (await gzipped(inTarget('wasm', name, 'g_ghostnet.js'))) + (await sum(own)),
      engine: await gzipped(inTarget('wasm', name, 'g_ghostnet_bg.wasm')),
    });
  }
  return { scripts: await sum(always), engines };
}

await rm(target, { recursive: true, force: true });
await packScripts();
await packEngine();
await packModels();
await packGlobal();
await packManual();
await writeThirdParty(target, await packExplorer());
await checkExports();

const files = await filesIn(target);
const strangers = files.filter((file) => !allowed.some((pattern) => pattern.test(file)));
if (strangers.length) throw new Error(`these files have no place in the package: ${strangers.join(', ')}`);

const [packed] = Object.values(
  JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', path.join(repository, 'dist')], {
      cwd: target,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ),
);
const tarball = path.join(repository, 'dist', `g-ghostnet-${version}.tgz`);
if (path.basename(packed.filename) !== path.basename(tarball))
  await rename(path.join(repository, 'dist', packed.filename), tarball);
const shipped = packed.files.map(({ path: file }) => file).sort();
if (shipped.join() !== files.join())
  throw new Error(`npm packs other files than dist/npm has: ${shipped.filter((file) => !files.includes(file))}`);
for (const { path: file, size } of packed.files) console.log(`${String(size).padStart(9)}  ${file}`);

console.log('\nSubresource integrity, for pages that name a file in a tag or an import map:');
for (const file of ['g-ghostnet.global.js', ...files.filter((file) => /^(lib|wasm)\/.*\.js$/.test(file))]) {
  console.log(`${await integrityOf(file)}  ${file}`);
}

const { scripts, engines } = await measure();
const { size } = await stat(tarball);
const isPart = ({ name }) => name in parts;
const largestOf = (modules) => Math.max(...modules.map(({ glue, engine }) => glue + engine));
const largest = largestOf(engines.filter((module) => !isPart(module)));
const largestPart = largestOf(engines.filter(isPart));
console.log(`\nscripts ${scripts} bytes compressed`);
for (const { name, glue, engine } of engines)
  console.log(
    `module ${name}: ${engine} bytes compressed, its own scripts ${glue}, with the others ${scripts + glue + engine}`,
  );
console.log(`scripts and the largest engine: ${scripts + largest} of ${SCRIPTS_AND_ENGINE} bytes`);
console.log(`the largest part beside them: ${largestPart} of ${PART} bytes`);
console.log(`${path.relative(repository, tarball)}: ${size} of ${TARBALL} bytes`);
const over = [
  scripts + largest > SCRIPTS_AND_ENGINE && 'scripts and engine',
  largestPart > PART && 'a part',
  size > TARBALL && 'the tarball',
].filter(Boolean);
if (over.length) {
  console.error(`pack: over budget: ${over.join(' and ')}`);
  process.exitCode = 1;
}

for (const [option, file] of [
  ['--smoke', 'smoke.test.mjs'],
  ['--hosts', 'hosts.test.mjs'],
]) {
  if (process.argv.includes(option) && !process.exitCode) {
    execFileSync(process.execPath, ['--test', path.join(repository, 'tests/package', file)], {
      cwd: repository,
      stdio: 'inherit',
    });
  }
}
