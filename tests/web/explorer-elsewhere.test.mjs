// The page without a network, in Firefox, and with a view more.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { bundle, www } from '../../tools/bundle.mjs';
import { serve } from '../../tools/serve.mjs';
import { expectComplaints, explorerPages, inRepository, open, page } from './support/explorer.mjs';

explorerPages();

/** Until the service worker has the page. */
async function untilControlled() {
  const { active } = await navigator.serviceWorker.ready;
  const changed = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
  while (active.state !== 'activated') await changed(active, 'statechange');
  while (!navigator.serviceWorker.controller) await changed(navigator.serviceWorker, 'controllerchange');
}

test('after the first visit the page works without a network, from a folder below a host’s root', async () => {
  const site = await serve(null, { mounts: { '/some/where/': inRepository('dist/site') }, coi: false });
  const rare = 'wasm/fixed-int8/g_ghostnet_bg.wasm';
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
  await assert.rejects(bytesOf('wasm/fixed-int8-threads/g_ghostnet_bg.wasm'));
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
    needs: ({ picture, maps }) => ({ mine: mapsOf(picture, [maps.stage + '.cheap']) }),
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
    // What it asks went along with the first run.
    assert.equal((await page.calls('run')).filter(({ run }) => run).length, 2);
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

test('Firefox: the page answers on WebAssembly, compares, and lights twins', async () => {
  // No driver: a script beside the page's own looks and reports, by asking for an address.
  const probe = `
    const say = (text) => fetch('/report?' + encodeURIComponent(text));
    const until = async (find) => { for (;;) { const found = find(); if (found) return found; await new Promise((go) => setTimeout(go, 50)); } };
    addEventListener('securitypolicyviolation', (event) => say('refused: ' + event.violatedDirective + ' ' + event.blockedURI));
    addEventListener('error', (event) => say('error: ' + event.message));
    const panel = await until(() => document.querySelector('gg-panel'));
    await until(() => /By chance/.test(panel.find('#stage-note')?.textContent ?? ''));
    const grid = panel.find('gg-twins').find('#last');
    grid.find('[role="grid"]').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home', ctrlKey: true, bubbles: true, composed: true }));
    const cell = await until(() => /^Map 0,/.test(grid.find('#cell').textContent) && grid.find('#cell').textContent);
    panel.find('#tab-similarity').click();
    await until(() => panel.find('gg-similarity')?.state?.answers.order);
    const badge = document.querySelector('#engine-badge').textContent;
    const headline = panel.find('#headline').textContent.replaceAll(/\\s+/g, ' ');
    await say(['done', badge, headline, cell, navigator.userAgent].join('\\n'));`;
  const folder = await mkdtemp(path.join(tmpdir(), 'firefox-'));
  await mkdir(path.join(folder, 'profile'));
  const types = {
    '.js': 'text/javascript',
    '.wasm': 'application/wasm',
    '.css': 'text/css',
    '.json': 'application/json',
    '.html': 'text/html',
  };
  let firefox;
  let site;
  try {
    const answer = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Firefox did not report within two minutes')), 120e3);
      site = http.createServer(async (request, response) => {
        const [address, query = ''] = request.url.split('?');
        if (address === '/report') {
          response.end();
          clearTimeout(timer);
          resolve(decodeURIComponent(query));
          return;
        }
        const name = address === '/' ? '/index.html' : address;
        let body =
          name === '/probe.js' ? probe : await readFile(inRepository(`dist/site${name}`)).catch(() => undefined);
        if (name === '/index.html')
          body = body.toString().replace('</head>', '<script type="module" src="probe.js"></script></head>');
        response.writeHead(body === undefined ? 404 : 200, {
          'Content-Type': types[path.extname(name)] ?? 'application/octet-stream',
        });
        response.end(body);
      });
      site.listen(0, '127.0.0.1', () => {
        firefox = execFile(
          process.env.FIREFOX ?? 'firefox-esr',
          [
            '--headless',
            '--no-remote',
            '--profile',
            path.join(folder, 'profile'),
            `http://127.0.0.1:${site.address().port}/`,
          ],
          { env: { ...process.env, HOME: folder } },
        );
        firefox.on('error', reject);
      });
    });
    const [state, badge, headline, cell, agent] = answer.split('\n');
    assert.equal(state, 'done', answer);
    assert.match(badge, /^WASM · /);
    assert.match(headline, /In stage 3, \d+ of 240 maps/);
    assert.match(cell, /^Map 0, its twin is \d+, r = /);
    assert.match(agent, /Firefox/);
  } finally {
    firefox?.kill();
    site?.close();
    site?.closeAllConnections();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
});
