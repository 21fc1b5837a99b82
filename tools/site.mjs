// Assembles the page as a folder for any static host, from any path below it: dist/site/.
//   node tools/site.mjs [--unfinished]
// An unfinished page, whose modules are still being built, is not kept for visitors without a network.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundle, www } from './bundle.mjs';
import { defaultModel } from '../www/lib/default-model.js';
import { minify, shipLibrary } from './minify.mjs';
import { repository } from './serve.mjs';
import { writeThirdParty } from './third-party.mjs';

const target = path.join(repository, 'dist/site');

/** The scripts of the engine's modules, minified, and what else lies there. */
async function shipEngine(from, to) {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, copy] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await shipEngine(source, copy);
    else if (entry.name.endsWith('.js')) await writeFile(copy, await minify(await readFile(source, 'utf8')));
    else if (!entry.name.endsWith('.d.ts')) await cp(source, copy);
  }
}

/** What the model picker offers: every checkpoint in models/, the default first. */
async function listModels() {
  const files = (await readdir(path.join(repository, 'models'))).filter((name) => name.endsWith('.safetensors'));
  files.sort((a, b) => (b === defaultModel) - (a === defaultModel) || a.localeCompare(b));
  const models = await Promise.all(files.map(async (file) => ({ file, title: await titleOf(file) })));
  await writeFile(path.join(target, 'models/models.json'), JSON.stringify(models));
}

/** What a model was trained on, as the picker says it. */
const subjects = {
  imagenet: 'ImageNet',
  imagenette: 'Imagenette',
  everyday: 'Groceries and clothing',
  'mini-imagenet': 'mini-ImageNet',
};

/** What a model knows and how exact it is: `ImageNet, 498 classes, 8 bits`. A network that is not the usual one is named. */
async function titleOf(file) {
  const [, network, data, int8] = /^([^-]+)-(.*?)(-int8)?\.safetensors$/.exec(file) ?? [];
  const bytes = await readFile(path.join(repository, 'models', file));
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
  const { classes } = JSON.parse(header.__metadata__['g-ghostnet']);
  const plain = network.startsWith('regnetx') ? 'plain, ' : '';
  return `${subjects[data] ?? data}, ${plain}${classes.length} classes${int8 ? ', 8 bits' : ''}`;
}

/**
 * Whether a file is kept for a visitor without a network only once it has been asked for: other models than the
 * default, and the engines without integers, which compute these.
 */
const isExtra = (name) =>
  (name.startsWith('models/') && name.endsWith('.safetensors') && name !== `models/${defaultModel}`) ||
  /^wasm\/(relaxed|fixed)(-threads)?\//.test(name);

/** The service worker with the hash of every file that a visitor may need without a network. */
async function listForOffline() {
  const manifest = {};
  const extra = {};
  for (const name of (await readdir(target, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(target, path.join(entry.parentPath, entry.name)))
    .sort()) {
    if (/\.(md|LICENSE)$/.test(name)) continue;
    const address = name.split(path.sep).join('/');
    (isExtra(address) ? extra : manifest)[address] = createHash('sha256')
      .update(await readFile(path.join(target, name)))
      .digest('hex');
  }
  const version = createHash('sha256')
    .update(JSON.stringify([manifest, extra]))
    .digest('hex')
    .slice(0, 16);
  const code = await minify(await readFile(path.join(www, 'service.js'), 'utf8'));
  await writeFile(
    path.join(target, 'service.js'),
    `const MANIFEST=${JSON.stringify(manifest)},EXTRA=${JSON.stringify(extra)},VERSION="${version}";${code}`,
  );
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
for (const name of ['index.html', 'samples'])
  await cp(path.join(www, name), path.join(target, name), { recursive: true });
await build({ entryPoints: [path.join(www, 'style.css')], outdir: target, bundle: true, minify: true });
const bundled = await bundle({ entryPoints: [path.join(www, 'app.js')], outdir: target, library: './lib/' });
await mkdir(path.join(target, 'lib'));
await shipLibrary(path.join(target, 'lib'));
await shipEngine(path.join(repository, 'dist/wasm'), path.join(target, 'wasm'));
await cp(path.join(repository, 'models'), path.join(target, 'models'), { recursive: true });
await listModels();
await writeThirdParty(target, bundled);
if (!process.argv.includes('--unfinished')) await listForOffline();
console.log('dist/site/ is ready: any static host can serve it, from any path.');
