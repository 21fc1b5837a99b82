// Makes the documents as pages: dist/site/docs/. Markdown in, no script and no other host's address out.
//   node tools/docs-site.mjs
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Marked } from 'marked';
import { repository } from './serve.mjs';

const target = path.join(repository, 'dist/site/docs');

/** Pages in the order of the menu: name, title in the menu, source. */
const pages = [
  ['index', 'Getting started', 'docs/getting-started.md'],
  ['api', 'API', 'docs/api.md'],
  ['manual', 'Manual of the package', 'www/lib/README.md'],
  ['formats', 'What it reads', 'docs/formats.md'],
  ['models', 'Models', 'models/README.md'],
  ['how-it-works', 'How it works', 'docs/how-it-works.md'],
  ['browsers', 'Browsers', 'docs/browsers.md'],
  ['hosts', 'Where it builds', 'docs/hosts.md'],
  ['performance', 'Performance guide', 'docs/performance.md'],
  ['compared', 'Compared with others', 'docs/compared.md'],
  ['benchmarks', 'Benchmarks', 'docs/benchmarks.md'],
  ['card', 'On a graphics card', 'docs/card.md'],
  ['where-time-goes', 'Where the time goes', 'docs/where-time-goes.md'],
  ['privacy', 'Privacy', 'docs/privacy.md'],
  ['faq', 'Frequently asked questions', 'docs/faq.md'],
  ['architecture', 'Architecture', 'ARCHITECTURE.md'],
  ['security', 'Security', 'SECURITY.md'],
  ['contributing', 'Contributing', 'CONTRIBUTING.md'],
  ['changelog', 'Changelog', 'CHANGELOG.md'],
];
const template = await readFile(path.join(repository, 'docs/template.html'), 'utf8');
const pageOfSource = new Map(pages.map(([name, , source]) => [source, `${name}.html`]));
const pageOfName = new Map(pages.map(([name]) => [`${name}.md`, `${name}.html`]));

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const anchor = (text) =>
  text
    .toLowerCase()
    .replace(/<[^>]+>|[^\p{L}\p{N} -]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const broken = [];
/** Pictures that the pages show, by their paths in the repository; beside the pages they have their file names. */
const pictures = new Set();

/** Where a link of a source leads on the site: to another page, to a file of the site, or nowhere. */
async function resolve(href, source) {
  if (/^https:\/\//.test(href) || href.startsWith('#')) return href;
  const [file, fragment = ''] = href.split('#');
  const end = fragment && `#${fragment}`;
  if (pageOfName.has(file)) return pageOfName.get(file) + end;
  const fromRoot = path.normalize(path.join(path.dirname(source), file));
  if (pageOfSource.has(fromRoot)) return pageOfSource.get(fromRoot) + end;
  // The reference is made by `./build.sh site` and `./build.sh docs`, not before every test.
  if (['../index.html', '../api/index.html'].includes(file)) return href;
  // A file or folder of the repository, which is not on the site: its name stays, the link goes.
  const isThere = await readdir(path.dirname(path.join(repository, fromRoot))).then(
    (names) => names.includes(path.basename(fromRoot)),
    () => false,
  );
  if (!isThere) broken.push(`${source}: ${href}`);
  return undefined;
}

async function render(source) {
  const text = await readFile(path.join(repository, source), 'utf8');
  const targets = new Map();
  const marked = new Marked({
    async: true,
    walkTokens: async (token) => {
      if (token.type === 'link' || token.type === 'image') targets.set(token.href, await resolve(token.href, source));
    },
    renderer: {
      heading({ tokens, depth }) {
        const inner = this.parser.parseInline(tokens);
        return `<h${depth} id="${anchor(inner)}">${inner}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const to = targets.get(href);
        return to === undefined ? `<code>${inner}</code>` : `<a href="${escape(to)}">${inner}</a>`;
      },
      image({ href, text: words }) {
        if (/^https?:/.test(href)) broken.push(`${source}: a picture of another host, ${href}`);
        else pictures.add(path.join(path.dirname(source), href));
        return `<span class="wide" tabindex="0"><img src="${escape(path.basename(href))}" alt="${escape(words)}" /></span>`;
      },
    },
  });
  const content = (await marked.parse(text))
    .replaceAll('<table>', '<div class="wide" tabindex="0"><table>')
    .replaceAll('</table>', '</table></div>')
    .replaceAll('<pre>', '<pre tabindex="0">');
  return { title: /^# (.+)$/m.exec(text)?.[1] ?? source, content };
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const made = new Map();
for (const [name, title, source] of pages) {
  const { title: heading, content } = await render(source);
  const navigation = pages
    .map(
      ([other, words]) => `<a href="${other}.html"${other === name ? ' aria-current="page"' : ''}>${escape(words)}</a>`,
    )
    .join('');
  const fill = { title: escape(name === 'index' ? title : heading), navigation, content };
  made.set(
    `${name}.html`,
    template.replace(/\{\{(\w+)\}\}/g, (_, key) => fill[key]),
  );
}
// Links from page to page lead somewhere, down to the heading.
for (const [name, html] of made) {
  for (const [, href] of html.matchAll(/href="([^"]*)"/g)) {
    const [file, fragment] = href.split('#');
    if (/^(https:|data:|\.\.\/)/.test(href) || file === 'docs.css') continue;
    const there = made.get(file || name);
    if (!there || (fragment && !there.includes(`id="${fragment}"`))) broken.push(`${name}: ${href}`);
  }
  await writeFile(path.join(target, name), html);
}
await cp(path.join(repository, 'docs/docs.css'), path.join(target, 'docs.css'));
if (broken.length > 0) {
  console.error(`docs: these links lead nowhere:\n${broken.join('\n')}`);
  process.exit(1);
}
for (const picture of pictures) await cp(path.join(repository, picture), path.join(target, path.basename(picture)));
console.log(`dist/site/docs/ has ${pages.length} pages.`);
