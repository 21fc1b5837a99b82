// Scripts as they are shipped: comments and long names stay in the repository, the types carry the documentation.
import { build, transform } from 'esbuild';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { repository } from './serve.mjs';

const library = path.join(repository, 'www/lib');
const shipped = { format: 'esm', minify: true, target: 'es2022', legalComments: 'none' };

/** Scripts of workers. Each is one file: some bundlers refuse a worker that imports anything later. */
const workers = ['worker', 'thread', 'similarity-worker', 'teach-worker'];

/** What workers import by its address, in one file for the same reason. */
const byAddress = ['gpu', 'more'];

/** Scripts that every page needs are one file, `base.js`. `errors.js` is not among them: small entries need it alone. */
const base = [
  ...[
    'default-model',
    'download',
    'host',
    'image',
    'index',
    'lazy',
    'list',
    'markup',
    'options',
    'place',
    'script',
    'workers',
  ],
];
const inBase = new RegExp(`\\b(from|import)"\\./(${base.join('|')})\\.js"`, 'g');

export async function minify(code) {
  const { code: small } = await transform(code, shipped);
  return leftAlone(small);
}

/** The scripts of the library as a folder: those that are one are bundled, the others keep their addresses. */
export async function shipLibrary(target) {
  const names = (await readdir(library))
    .filter((file) => file.endsWith('.js'))
    .map((file) => path.basename(file, '.js'));
  const write = (name, code) => writeFile(path.join(target, `${name}.js`), code);
  for (const name of names) {
    if (workers.includes(name))
      await write(name, await bundleAlone({ entryPoints: [path.join(library, `${name}.js`)] }));
    else if (byAddress.includes(name))
      await write(name, await bundleAlone({ stdin: { contents: toldOf(name), resolveDir: library } }));
    else if (name === 'index') await write(name, await indexOnBase());
    else if (!base.includes(name)) {
      const code = await minify(await readFile(path.join(library, `${name}.js`), 'utf8'));
      await write(name, code.replaceAll(inBase, '$1"./base.js"'));
    }
  }
  await write('base', await bundleBase());
}

/** A script with all that it imports inside. */
async function bundleAlone(entry) {
  const { outputFiles, metafile } = await build({
    ...shipped,
    ...entry,
    bundle: true,
    write: false,
    metafile: true,
  });
  const [{ imports }] = Object.values(metafile.outputs);
  if (imports.length) throw new Error(`${imports.map(({ path }) => path)} is imported from a script that is one file`);
  return leftAlone(outputFiles[0].text);
}

/** Where exports are told besides: a bundler may make a script without exports of a module whose address it follows. */
export const told = (name) => `(globalThis[Symbol.for('g-ghostnet')] ??= {})[${JSON.stringify(name)}]`;

const toldOf = (name) => `import * as all from './${name}.js'; ${told(name)} = all; export * from './${name}.js';`;

async function bundleBase() {
  const { outputFiles } = await build({
    ...shipped,
    stdin: { contents: base.map((name) => `export * from './${name}.js';`).join('\n'), resolveDir: library },
    bundle: true,
    write: false,
    plugins: [
      {
        name: 'the others stay',
        setup: (bundler) =>
          bundler.onResolve({ filter: /^\.\// }, ({ path: name }) =>
            base.includes(path.basename(name, '.js')) ? undefined : { path: name, external: true },
          ),
      },
    ],
  });
  return leftAlone(outputFiles[0].text);
}

/** The entry says what of all this is for users. */
async function indexOnBase() {
  const { metafile } = await build({
    entryPoints: [path.join(library, 'index.js')],
    format: 'esm',
    write: false,
    metafile: true,
  });
  const [{ exports }] = Object.values(metafile.outputs);
  return `export{${exports.sort()}}from"./base.js";\n`;
}

/** The comments that tell bundlers to leave an import alone have to come back. */
function leftAlone(code) {
  const kept = code.replaceAll(
    /import\((?=\w+\.href\)|"sharp"\))/g,
    'import(/* @vite-ignore */ /* webpackIgnore: true */ /* turbopackIgnore: true */ ',
  );
  const [other] = kept.match(/\bimport\((?!["/]).{0,40}/) ?? [];
  if (other) throw new Error(`an import that bundlers are to leave alone was not found again: ${other}`);
  return kept;
}
