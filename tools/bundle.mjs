// Bundles the page's scripts, for the site and for the package.
import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { repository } from './serve.mjs';

export const www = path.join(repository, 'www');
const library = path.join(www, 'lib');

/** The library's scripts keep their addresses: below `folder`, from where the bundle lies. */
const libraryStays = (folder) => ({
  name: 'library stays',
  setup(bundler) {
    bundler.onResolve({ filter: /^\./ }, ({ path: name, resolveDir }) => {
      const file = path.resolve(resolveDir, name);
      return file.startsWith(library + path.sep)
        ? { path: `${folder}${path.relative(library, file)}`, external: true }
        : undefined;
    });
  },
});

/** A part of a language, `language/en.js?page`, is a module without the other part. */
const wordsInParts = {
  name: 'words in parts',
  setup(bundler) {
    bundler.onResolve({ filter: /\/language\/\w+\.js\?\w+$/ }, ({ path: name, resolveDir }) => {
      const [file, part] = path.resolve(resolveDir, name).split('?');
      return { path: `${path.basename(file, '.js')}-${part}`, namespace: 'words', pluginData: { file, part } };
    });
    bundler.onLoad({ filter: /./, namespace: 'words' }, async ({ pluginData: { file, part } }) => {
      const words = (await import(pathToFileURL(file)))[part];
      return { contents: `export const ${part} = ${JSON.stringify(words)};` };
    });
  },
};

/** The views of the explorer are one file: each by itself would be small, and share most of its parts with the others. */
const viewsTogether = {
  name: 'views together',
  setup(bundler) {
    const table = path.join(www, 'explorer/views.js');
    bundler.onResolve({ filter: /^\./ }, ({ importer, kind }) =>
      kind === 'dynamic-import' && importer === table ? { path: 'explorer-views', namespace: 'views' } : undefined,
    );
    bundler.onLoad({ filter: /./, namespace: 'views' }, async () => {
      const names = [...(await readFile(table, 'utf8')).matchAll(/import\('(.+?)'\)/g)].map(([, name]) => name);
      return {
        contents: names.map((name) => `import ${JSON.stringify(name)};`).join('\n'),
        resolveDir: path.dirname(table),
      };
    });
  },
};

/**
 * uPlot makes a number format of the browser's language as it is imported, which throws where that is no valid tag
 * (`C` in WebKit on Linux): its numbers are written as the page's own are.
 */
const chartsOfAnyLanguage = {
  name: 'charts of any language',
  setup(bundler) {
    bundler.onLoad({ filter: /uPlot\.esm\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const contents = source.replace("domEnv ? nav.language : 'en-US'", "'en-US'");
      if (contents === source)
        throw new Error('uPlot asks for the language elsewhere: look for it in tools/bundle.mjs');
      return { contents };
    });
  },
};

/**
 * Scripts and what they import when it is needed, each a file, with the packages that they use.
 * @param {import('esbuild').BuildOptions & { library: string }} options `library` is the folder of the library's
 *   scripts as the bundle names it, with a slash at its end
 * @returns {Promise<string[]>} names of these packages
 */
export async function bundle({ library: folder, ...options }) {
  const { metafile } = await build({
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    conditions: ['production'],
    loader: { '.css': 'text' },
    plugins: [viewsTogether, libraryStays(folder), wordsInParts, chartsOfAnyLanguage],
    metafile: true,
    ...options,
  });
  return [
    ...new Set(
      Object.keys(metafile.inputs).flatMap((file) => /node_modules\/((@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []),
    ),
  ];
}
