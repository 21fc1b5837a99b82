// The page without a network, and with a view more.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { bundle, www } from '../../tools/bundle.mjs';
import { serve } from '../../tools/serve.mjs';
import { expectComplaints, explorerPages, inRepository, open, page, untilControlled } from './support/explorer.mjs';

explorerPages();

test('after the first visit the page works without a network, from a folder below a host’s root', async () => {
  const site = await serve(null, { mounts: { '/some/where/': inRepository('dist/site') }, coi: false });
  const rare = 'wasm/fixed/g_ghostnet_bg.wasm';
  const bytesOf = (name) => page.evaluate(async (name) => (await (await fetch(name)).arrayBuffer()).byteLength, name);
  let size;
  try {
    await open('', {}, { url: `${site.url}some/where/` });
    await page.evaluate(untilControlled);
    // What few visitors need is kept once it was asked for.
    assert.equal(await page.evaluate(async (name) => (await caches.match(name)) ?? null, rare), null);
    size = await bytesOf(rare);
    assert.ok(size > 1e5);
  } finally {
    await site.close();
  }
  await page.raw.reload();
  await page.headline('In stage 3');
  assert.equal(await bytesOf(rare), size);
  await assert.rejects(bytesOf('wasm/fixed-threads/g_ghostnet_bg.wasm'));
  await page.sample('dahlia.jpg');
  await page.caption('Dahlia');
  // Of the file that was not kept: the service worker's own words, and the page's.
  expectComplaints('ERR_CONNECTION_REFUSED');
  expectComplaints('ERR_FAILED');
});

/** A page with one view more: what adding one takes, but for the file of its element. */
const oneMore = `
  import { views } from './explorer/views.js';
  import { mapsOf } from './explorer/requests.js';
  import { page as words } from './language/en.js?page';
  import './explorer/elements.js';
  import './app.js'; // which begins to load, and asks for its views later

  class Mine extends HTMLElement {
    set state({ answers }) {
      this.textContent = answers.mine ? Object.keys(answers.mine).join() : 'waiting';
    }
  }
  views.push({
    name: 'mine',
    element: 'mine',
    load: async () => customElements.define('gg-mine', Mine),
    needs: ({ picture, maps }) => ({ mine: maps && mapsOf(picture, [maps.stage + '.cheap']) }),
  });
  Object.assign(words, { tab_mine: 'Mine' });
`;

test('a view is a row: its tab, its key, its element and what it asks follow', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'one-more-'));
  const site = inRepository('dist/site');
  const mounts = Object.fromEntries(
    ['lib', 'wasm', 'models', 'samples'].map((name) => [`/${name}/`, path.join(site, name)]),
  );
  let server;
  try {
    for (const name of ['index.html', 'style.css']) await cp(path.join(site, name), path.join(folder, name));
    const stdin = { contents: oneMore, resolveDir: www, sourcefile: 'more.js' };
    await bundle({ stdin, outdir: folder, entryNames: 'app', library: './lib/' });
    server = await serve(folder, { mounts });
    await open('', {}, { url: server.url });
    assert.deepEqual(await page.find('[role="tab"]').allTextContents(), [
      'Twins1',
      'Ghost path2',
      'Similarity3',
      'Numbers4',
      'Mine5',
    ]);
    await page.press('5');
    await page.find('#tab-mine[aria-selected="true"]').waitFor();
    await page.find('gg-mine', { hasText: 'layer3.cheap' }).waitFor();
    await page.addressSays('tab', 'mine');
    // What it asks went along with the maps: the answer, the maps, and those of the control.
    assert.equal((await page.calls('run')).filter(({ run }) => run).length, 3);
    expectComplaints('(404)'); // this site has no service worker
  } finally {
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('every view has its words, and its element in other pages has a type', async () => {
  globalThis.innerWidth ??= 1440;
  const { views } = await import('../../www/explorer/views.js');
  const types = await readFile(inRepository('www/lib/explorer.d.ts'), 'utf8');
  for (const language of ['en', 'zh']) {
    const { explorer } = await import(`../../www/language/${language}.js`);
    for (const { name } of views) assert.ok(explorer[`tab_${name}`], `${language}: ${name}`);
  }
  const typed = [...types.matchAll(/'g-ghostnet-([\w-]+)': GGhostNetView/g)].map(([, element]) => element);
  assert.deepEqual(typed, ['explorer', ...views.map(({ element }) => element)]);
  for (const { name } of views) assert.ok(types.includes(`\`${name}\``), `the attribute view: ${name}`);
});
