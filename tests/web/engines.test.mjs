// The page in every engine: Chromium, or that of the variable ENGINE. Answers against PyTorch, files, keys, links,
// measures, odd languages, threads, and no network.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { repository, serve } from '../../tools/serve.mjs';
import { engine } from './support/blank.mjs';
import { untilControlled } from './support/explorer.mjs';
import { golden } from './support/golden.mjs';
import { serveSite } from './support/site.mjs';
import { launchEngine, routing } from './support/webdriver.mjs';

globalThis.innerWidth ??= 1440; // which the table of views asks
const { views } = await import('../../www/explorer/views.js');

const inRepository = (file) => path.join(repository, file);
const topOf = (name) => golden.files.find(({ file }) => path.basename(file) === name).top;

const { routes, intercept } = routing();
const start = (env) => (engine === 'Chromium' ? launch() : launchEngine(engine, { routes, env }));
let server;
let browser;
let page;

before(async () => (browser = await start()));
after(() => browser?.close());
// Each test has an origin of its own, because a browser that is driven keeps what a service worker has stored.
beforeEach(async () => (server = await serveSite({ intercept })));
afterEach(async () => {
  const complaints = await page?.evaluate(() => globalThis.complaints ?? []);
  await page?.close();
  page = undefined;
  await server.close();
  assert.deepEqual(complaints ?? [], [], 'the page complained');
});

/** Notes what goes wrong before anything of the page's runs. */
const noting = `
  globalThis.complaints = [];
  for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])
    addEventListener(kind, ({ message, reason, blockedURI }) => complaints.push(String(message ?? reason ?? blockedURI)));`;

/** Opens the page, after a script of the test's. */
async function open({ first = '', hash = '', from = browser, url = server.url } = {}) {
  page = await from.newPage();
  await page.route(`${url}first.js`, (route) =>
    route.fulfill({ contentType: 'text/javascript', body: `${noting};${first}` }),
  );
  await page.route(url, async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace('<head>', '<head><script src="first.js"></script>');
    await route.fulfill({ response, body });
  });
  // On the third stage and the network's own side, whose numbers the tests know.
  const asked = { stage: 'layer3', side: '192', ...Object.fromEntries(new URLSearchParams(hash)) };
  await page.goto(`${url}#${new URLSearchParams(asked)}`);
  await page.waitForFunction(() => document.querySelector('.top li') || !document.querySelector('#error').hidden);
}

/** What the panel of the explorer shows: everything about the picture is there once the control is. */
const compared = () =>
  page.waitForFunction(() => {
    const panel = document.querySelector('gg-panel');
    return /By chance|随机水平/.test(panel?.find('#stage-note')?.textContent ?? '');
  });

const shownTop = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('.top li')].map((row) => ({
      label: row.querySelector('.label').textContent,
      probability: Number(row.querySelector('.percent').value),
    })),
  );

/** Decoders of other engines round some pictures differently, by a level of 255. */
const TOLERANCE = engine === 'Chromium' ? 1e-3 : 3e-3;

async function assertTop(name) {
  const expected = topOf(name);
  const shown = await shownTop();
  assert.equal(shown.length, 5, name);
  shown.forEach(({ probability }, i) => {
    const difference = Math.abs(probability - expected[i].probability);
    assert.ok(difference <= TOLERANCE, `${name}: ${i + 1}. has ${probability}, PyTorch has ${expected[i].probability}`);
  });
  assert.equal(shown[0].label, expected[0].label, name);
}

/** Chooses a file, and waits until it is shown or said to be none. */
async function choose(name, buffer) {
  await page.setInputFiles('#file', { name, mimeType: 'application/octet-stream', buffer });
  await page.waitForFunction((name) => {
    const [caption, error] = ['#photo-caption', '#error'].map((found) => document.querySelector(found));
    const busy = document.querySelector('.photo').classList.contains('busy');
    return !busy && (caption.textContent.startsWith(name) || (!error.hidden && error.textContent.startsWith(name)));
  }, name);
}

test(`${engine}: the page answers as PyTorch does, and files are chosen, refused and chosen again`, async () => {
  await open();
  const [{ file }] = JSON.parse(await readFile(inRepository('www/samples/samples.json'), 'utf8'));
  await assertTop(file);
  assert.match(await page.textContent('#engine-badge'), /^WASM( × \d+)? · \d+\.\d ms$/);
  for (const { file } of golden.files) {
    await choose(path.basename(file), await readFile(inRepository(file)));
    await assertTop(path.basename(file));
  }
  await choose('note.jpg', Buffer.from('A text file, renamed.\n'));
  assert.match(await page.textContent('#error'), /^note\.jpg: This is a text file, not a picture\./);
  await choose('cat.jpg', await readFile(inRepository('www/samples/cat.jpg')));
  await assertTop('cat.jpg');
});

test(`${engine}: twins are found and lit by key, the views open, and the link brings all back`, async () => {
  await open();
  await compared();
  const headline = () => page.evaluate(() => document.querySelector('gg-panel').find('#headline').textContent.trim());
  assert.match(await headline(), /In stage 3,\s+\d+/);
  await page.click('#strip button[data-stage="layer2"]');
  await page.waitForFunction(() =>
    document.querySelector('gg-panel').find('#headline').textContent.includes('stage 2'),
  );
  await compared();
  const said = await headline();

  await page.evaluate(() =>
    document.querySelector('gg-panel').find('gg-twins').find('#last').find('[role="grid"]').focus(),
  );
  await page.keyboard.press('Control+Home');
  const cell = () =>
    page.evaluate(() => document.querySelector('gg-panel').find('gg-twins').find('#last').find('#cell').textContent);
  await page.waitForFunction(() =>
    /^Map 0,/.test(document.querySelector('gg-panel').find('gg-twins').find('#last').find('#cell').textContent),
  );
  assert.match(await cell(), /^Map 0, its twin is \d+, r = −?\d\.\d\d$/);

  for (const { name, element } of [...views.slice(1), views[0]]) {
    await page.click(`#tab-${name}`);
    await page.waitForSelector(`#tab-${name}[aria-selected="true"]`);
    await page.waitForSelector(`gg-${element}`);
  }
  await page.click('#tab-similarity');
  await page.waitForFunction(() => document.querySelector('gg-panel').find('gg-similarity')?.state?.answers.order);
  // The second stage is where the page opens, so it is not in the link.
  await page.waitForFunction(() => !/stage=/.test(location.hash) && /tab=similarity/.test(location.hash));
  await page.reload();
  await page.waitForSelector('#tab-similarity[aria-selected="true"]');
  await compared();
  assert.equal(await headline(), said);
});

test(`${engine}: what can be pressed lies under nothing else`, async () => {
  await open({ hash: 'tab=numbers&stage=layer2' });
  await compared();
  const covered = await page.evaluate(async () => {
    const all = (root) =>
      [...root.querySelectorAll('*')].flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
    const pressed = all(document).filter(
      (one) => one.matches('button, summary, select, label') && one.checkVisibility(),
    );
    const covered = [];
    for (const one of pressed) {
      one.scrollIntoView({ block: 'center', behavior: 'instant' });
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const { x, y, width, height } = one.getBoundingClientRect();
      const found = one.getRootNode().elementFromPoint(x + width / 2, y + height / 2);
      if (found && found !== one && !one.contains(found))
        covered.push([one, found].map((part) => part.outerHTML.slice(0, 120)).join(' is under '));
    }
    return { count: pressed.length, covered };
  });
  assert.ok(covered.count > 20, `${covered.count}`);
  assert.deepEqual(covered.covered, []);
});

test(`${engine}: a set is measured with its control, and the numbers are the library’s own`, async () => {
  await open({ hash: 'tab=numbers&stage=layer2' });
  await compared();
  await page.click('#measure-samples');
  const numbers = () => page.textContent('[data-value="set-own-pearson"]');
  await page.waitForFunction(() => {
    const set = document.querySelector('gg-panel')?.find('gg-numbers')?.state?.answers.set;
    return (
      set?.own &&
      /\d/.test(
        document.querySelector('gg-panel').find('gg-numbers').find('[data-value="set-own-pearson"]')?.textContent ?? '',
      )
    );
  });
  const expected = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm' });
    const samples = await (await fetch('/samples/samples.json')).json();
    const { score } = await net.redundancy(
      samples.map(({ file }) => `/samples/${file}`),
      { stage: 2 },
    );
    net.dispose();
    return score;
  });
  const shown = Number((await numbers()).replace('−', '-'));
  assert.ok(Math.abs(shown - expected) <= 0.0051, `${shown} against ${expected}`);
});

const withoutPlurals = 'Intl.PluralRules = class { constructor() { throw new RangeError() } };';
for (const [name, first, language] of [
  ['C, as a system without a language has it', tagged('C'), 'en'],
  ['an empty one', tagged(''), 'en'],
  ['a system’s own, with a code set', tagged('en_US.UTF-8'), 'en'],
  ['a Chinese one with an underscore', tagged('zh_CN'), 'zh'],
  ['none at all, and no rules of counting', tagged(undefined) + withoutPlurals, 'en'],
]) {
  test(`${engine}: a language tag does no harm: ${name}`, async () => {
    await open({ first });
    await compared();
    assert.equal(await page.evaluate(() => document.documentElement.lang), language);
    // The chart comes from a package with number formats of its own.
    await page.click('#tab-similarity');
    await page.waitForSelector('gg-histogram >> .uplot');
  });
}

/** A script after which the browser's language has this tag. */
function tagged(tag) {
  return `
    for (const [name, value] of Object.entries({ language: ${JSON.stringify(tag)}, languages: [${JSON.stringify(tag)}] }))
      Object.defineProperty(navigator, name, { get: () => value });`;
}

test(`${engine}: after the first visit the page works without a network`, async () => {
  const site = await serve(null, { mounts: { '/some/where/': inRepository('dist/site') } });
  page = await browser.newPage();
  const url = `${site.url}some/where/`;
  /** What the page, with the model that it comes with, says of a sample. */
  const dahlia = async () => {
    await page.evaluate(() => document.querySelector('.samples button[data-file="dahlia.jpg"]').click());
    await page.waitForFunction(() => document.querySelector('#photo-caption').textContent.includes('Dahlia'));
    await page.waitForFunction(() => !document.querySelector('.photo').classList.contains('busy'));
    return shownTop();
  };
  let online;
  try {
    await page.goto(url);
    await page.waitForFunction(() => document.querySelector('.top li'));
    online = await dahlia();
    await page.evaluate(untilControlled);
    // It takes over a page whose engine has threads, which sleep, and answers at once.
    assert.ok(await page.evaluate(async () => (await (await fetch('samples/samples.json')).json()).length));
  } finally {
    await site.close();
  }
  // Visited again: Firefox’s driver reloads past service workers.
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector('.top li'));
  await compared();
  await assert.rejects(page.evaluate(async () => (await fetch('nothing.js')).text()));
  assert.deepEqual(await dahlia(), online);
});
