// The page in Chromium, against PyTorch and Pillow on the same weights and files.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, afterEach, before, test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { repository, servePage } from '../../tools/serve.mjs';
import { defaultModel } from './support/site.mjs';
import { golden } from './support/golden.mjs';
import { serveSite } from './support/site.mjs';
import { noteCalls, untilIdle } from './support/explorer.mjs';
import { checkpoint } from './support/pth.mjs';
import { shardsOf } from './support/shards.mjs';

const inRepository = (file) => path.join(repository, file);
const goldenOf = (name) => golden.files.find(({ file }) => path.basename(file) === name);

let server;
let browser;
let folder;
let page;
/** Everything that the page complained about; each test expects nothing. */
const complaints = [];

before(async () => {
  server = await serveSite();
  browser = await launch();
  folder = await mkdtemp(path.join(tmpdir(), 'page-'));
  await writeFile(path.join(folder, 'note.jpg'), 'A text file, renamed.\n');
  await writeFile(path.join(folder, 'empty.png'), '');
  await writeFile(
    path.join(folder, 'half.jpg'),
    (await readFile(inRepository('www/samples/coffee.jpg'))).subarray(0, 700),
  );
});

after(async () => {
  await browser?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

afterEach(async () => {
  await page?.close();
  page = undefined;
  assert.deepEqual(complaints.splice(0), [], 'the page complained in the console');
});

async function open(options = {}, url = server.url) {
  page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  page.setDefaultTimeout(60_000); // machines have other work
  await page.addInitScript(noteCalls);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  return page;
}

const ready = () => page.waitForSelector('.top li');
const settled = () => page.waitForFunction(() => !document.querySelector('.photo').classList.contains('busy'));
const shownTop = () =>
  page.$$eval('.top li', (rows) =>
    rows.map((row) => ({
      label: row.querySelector('.label').textContent,
      probability: Number(row.querySelector('.percent').value),
    })),
  );

function assertTop(shown, expected, name) {
  assert.equal(shown.length, 5, name);
  shown.forEach(({ label, probability }, i) => {
    const difference = Math.abs(probability - expected[i].probability);
    assert.ok(difference <= 1e-3, `${name}: place ${i + 1} has ${probability}, PyTorch has ${expected[i].probability}`);
    // Neighbours closer than the tolerance may swap places.
    const swapped = expected.some(
      (other) => other.label === label && Math.abs(other.probability - probability) <= 1e-3,
    );
    assert.ok(
      label === expected[i].label || swapped,
      `${name}: place ${i + 1} is ${label}, in PyTorch ${expected[i].label}`,
    );
  });
}

async function choose(file) {
  await page.setInputFiles('#file', file);
  await page.waitForFunction(
    (name) =>
      document.querySelector('#photo-caption').textContent.startsWith(name) || !document.querySelector('#error').hidden,
    path.basename(file),
  );
  await settled();
}

test('the first sample is classified on opening, as in PyTorch', async () => {
  await open();
  await ready();
  const [{ file }] = JSON.parse(await readFile(inRepository('www/samples/samples.json'), 'utf8'));
  assertTop(await shownTop(), goldenOf(file).top, file);
  assert.match(await page.textContent('#engine-badge'), /^WASM( × \d+)? · \d+\.\d ms$/);
  assert.equal(await page.locator('#progress').isHidden(), true);
});

test('photographs of every kind, chosen as files, get the probabilities of PyTorch and Pillow', async () => {
  await open();
  await ready();
  assert.ok(golden.files.length >= 10, 'there are goldens');
  for (const { file, top } of golden.files) {
    await choose(inRepository(file));
    assert.equal(await page.locator('#error').isHidden(), true, `${file}: ${await page.textContent('#error')}`);
    assertTop(await shownTop(), top, file);
  }
});

test('a file that is no picture gives a sentence, and the next picture works', async () => {
  await open();
  await ready();
  const before = await shownTop();
  for (const [name, sentence] of [
    ['note.jpg', /^note\.jpg: This is a text file, not a picture\. Try a JPEG/],
    ['empty.png', /^empty\.png: The file is empty\.$/],
    ['half.jpg', /^half\.jpg: This is a JPEG picture, but damaged or incomplete\./],
  ]) {
    await choose(path.join(folder, name));
    assert.match(await page.textContent('#error'), sentence);
    assert.deepEqual(await shownTop(), before, 'the answer still belongs to the picture that is shown');
  }
  await choose(inRepository('www/samples/cat.jpg'));
  assert.equal(await page.locator('#error').isHidden(), true);
  assertTop(await shownTop(), goldenOf('cat.jpg').top, 'cat.jpg');
});

/** Hands the page a file by a drop or paste event. */
async function hand(kind, file) {
  const bytes = await readFile(file, 'base64');
  await page.evaluate(
    ([kind, bytes, name]) => {
      const transfer = new DataTransfer();
      if (bytes)
        transfer.items.add(
          new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type: 'image/jpeg' }),
        );
      const event =
        kind === 'paste'
          ? new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true })
          : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    },
    [kind, bytes, path.basename(file)],
  );
}

test('a picture can be dropped, with a sign where it will land', async () => {
  await open();
  await ready();
  await hand('dragenter', inRepository('www/samples/dahlia.jpg'));
  assert.equal(await page.locator('.photo.dragging').count(), 1);
  await hand('drop', inRepository('www/samples/dahlia.jpg'));
  assert.equal(await page.locator('.photo.dragging').count(), 0);
  await page.waitForFunction(() => document.querySelector('#photo-caption').textContent === 'dahlia.jpg');
  assertTop(await shownTop(), goldenOf('dahlia.jpg').top, 'dahlia.jpg');
});

test('a picture can be pasted; pasting anything else gives a sentence', async () => {
  await open();
  await ready();
  await hand('paste', inRepository('www/samples/rocket.jpg'));
  await page.waitForFunction(() => document.querySelector('#photo-caption').textContent === 'rocket.jpg');
  assertTop(await shownTop(), goldenOf('rocket.jpg').top, 'rocket.jpg');
  await hand('paste', path.join(folder, 'empty.png'));
  assert.match(await page.textContent('#error'), /no picture on the clipboard/);
});

test('samples work by pointer and by keyboard, and say that the model cannot know them', async () => {
  await open();
  await ready();
  await page.click('.samples button[data-file="cat.jpg"]');
  await page.waitForFunction(() => document.querySelector('#photo-caption').textContent.includes('Chelsea'));
  assertTop(await shownTop(), goldenOf('cat.jpg').top, 'cat.jpg');
  await page.focus('.samples button[data-file="coffee.jpg"]');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#photo-caption').textContent.includes('coffee'));
  assertTop(await shownTop(), goldenOf('coffee.jpg').top, 'coffee.jpg');
  assert.equal(await page.textContent('#verdict'), `“${goldenOf('coffee.jpg').top[0].label}”, and wrong`);
  assert.match(await page.textContent('#answer-note'), /10 things this model knows: .*golf ball/);
  assert.equal(await page.getAttribute('.samples button[data-file="coffee.jpg"]', 'aria-pressed'), 'true');
  assert.equal(await page.locator('.samples button[aria-pressed="true"]').count(), 1);
  // Its score is that of a stranger.
  await page.click('.samples button[data-file="bricks.jpg"]');
  await page.locator('#verdict', { hasText: /^Not sure, as it should be$/ }).waitFor();
});

test('of several pictures in quick succession the last one stays', async () => {
  await open();
  await ready();
  for (const name of ['cat.jpg', 'coffee.jpg', 'bricks.jpg', 'astronaut.jpg'])
    await page.click(`.samples button[data-file="${name}"]`);
  await page.waitForFunction(() => document.querySelector('#photo-caption').textContent.includes('astronaut'));
  await settled();
  await untilIdle(page); // what was called off earlier has ended too
  assertTop(await shownTop(), goldenOf('astronaut.jpg').top, 'astronaut.jpg');
});

test('stages open by pointer and arrow keys, and their twins are the most correlated maps', async () => {
  await open({}, `${server.url}#stage=layer3&side=192`);
  await ready();
  const opened = (number) => page.locator('#headline', { hasText: `In stage ${number}` }).waitFor();
  await opened(3);
  await page.focus('#strip button[aria-pressed="true"]');
  await page.keyboard.press('ArrowLeft');
  await opened(2);
  await settled();
  await page
    .locator('#stage-note', { hasText: /^By chance, against block 1 of another picture: \d+ of 96\./ })
    .waitFor();
  await page.locator('#last [role="grid"]').focus();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('ArrowRight');
  const cell = page.locator('#last [role="gridcell"]');
  await cell.filter({ hasText: /^Map 1, / }).waitFor({ state: 'attached' });
  const said = await cell.textContent();
  const [, channel, twin, r] = said.match(/^Map (\d+), its twin is (\d+), r = (−?\d\.\d\d)/) ?? assert.fail(said);
  assert.equal(Number(channel), 1);
  const best = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm' });
    const { maps, stage } = await net.features('/samples/cat.jpg', { stage: 2 });
    net.dispose();
    const map = ({ data, dims: [, h, w] }, c) => Array.from(data.subarray(c * h * w, (c + 1) * h * w));
    const correlation = (a, b) => {
      const mean = (x) => x.reduce((sum, v) => sum + v, 0) / x.length;
      const centred = (x) => x.map((v, _, all) => v - mean(all));
      const [u, v] = [centred(a), centred(b)];
      const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
      return dot(u, v) / Math.sqrt(dot(u, u) * dot(v, v));
    };
    const mine = map(maps[stage.last], 1);
    return Array.from({ length: maps[stage.first].dims[0] }, (_, c) => [
      c,
      correlation(map(maps[stage.first], c), mine),
    ]).reduce((a, b) => (Math.abs(b[1]) > Math.abs(a[1]) ? b : a));
  });
  assert.equal(Number(twin), best[0]);
  assert.ok(Math.abs(Number(r.replace('−', '-')) - best[1]) <= 0.0051, `${r} against ${best[1]}`);
  await page.click('#strip button[data-stage="layer1"]');
  await page.locator('#headline', { hasText: 'single block' }).waitFor();
});

test('a model file takes the bundled one’s place; one that is no model does not', async () => {
  await open();
  await ready();
  const model = await readFile(inRepository(golden.model));
  const length = Number(model.readBigUInt64LE());
  const header = JSON.parse(model.subarray(8, 8 + length).toString());
  const config = JSON.parse(header.__metadata__['g-ghostnet']);
  config.classes = config.classes.map((label) => `my ${label}`);
  header.__metadata__['g-ghostnet'] = JSON.stringify(config);
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  await writeFile(path.join(folder, 'mine.safetensors'), Buffer.concat([size, padded, model.subarray(8 + length)]));
  await writeFile(path.join(folder, 'broken.safetensors'), 'not a model');

  await page.setInputFiles('#file', path.join(folder, 'broken.safetensors'));
  await page.waitForSelector('#error:not([hidden])');
  assert.match(await page.textContent('#error'), /^broken\.safetensors: /);
  assert.equal((await shownTop())[0].label, goldenOf('cat.jpg').top[0].label);
  await page.setInputFiles('#file', path.join(folder, 'mine.safetensors'));
  await page.waitForFunction(() => document.querySelector('.top .label').textContent.startsWith('my '));
  await settled();
  assertTop(
    await shownTop(),
    goldenOf('cat.jpg').top.map((row) => ({ ...row, label: `my ${row.label}` })),
    'cat.jpg',
  );
  assert.equal(await page.locator('#error').isHidden(), true);
});

test('a model in several files is chosen with its index and the labels beside it', async () => {
  await open();
  await ready();
  const model = await readFile(inRepository(`models/${defaultModel}`));
  const labels = (await shownTop()).map(({ label }) => label);
  const config = { id2label: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, `class ${i} of mine`])) };
  const files = { 'config.json': Buffer.from(JSON.stringify(config)), ...shardsOf(model, 2) };
  const missing = 'model-00002-of-00002.safetensors';
  const chosen = Object.entries(files).map(([name, buffer]) => ({ name, mimeType: '', buffer }));
  await page.setInputFiles(
    '#file',
    chosen.filter(({ name }) => name !== missing),
  );
  await page.waitForSelector('#error:not([hidden])');
  assert.match(await page.textContent('#error'), new RegExp(`${missing} is missing`));
  assert.deepEqual(
    (await shownTop()).map(({ label }) => label),
    labels,
  );
  await page.setInputFiles('#file', chosen);
  await page.waitForFunction(() => document.querySelector('.top .label').textContent.endsWith('of mine'));
  await settled();
  assert.equal(await page.locator('#error').isHidden(), true);
});

test('a PyTorch checkpoint of 1,000 classes takes the bundled one’s place, and its stages are shown', async () => {
  await open();
  await ready();
  const keys = JSON.parse(await readFile(inRepository('tests/golden/keys/g_ghost_regnetx_032.json'), 'utf8'));
  const labels = (await readFile(inRepository('models/imagenet-1k.txt'), 'utf8')).trim().split('\n');
  const file = path.join(folder, 'g_ghost_regnet_3.2g.pth');
  await writeFile(file, checkpoint(keys));
  await page.setInputFiles('#file', file);
  await page.waitForFunction(
    () =>
      document.querySelector('#strip').textContent.includes('1000 classes') || !document.querySelector('#error').hidden,
  );
  await settled();
  assert.equal(await page.locator('#error').isHidden(), true, await page.textContent('#error'));
  const strip = await page.textContent('#strip');
  for (const words of ['+ 120 ghosts', '216 + 216 ghosts', '1000 classes']) assert.ok(strip.includes(words), strip);
  const top = await shownTop();
  assert.equal(top.length, 5);
  for (const { label } of top) assert.ok(labels.includes(label), label);
});

test('a model is told from a picture by its first bytes, whatever its name is; the chooser offers the usual ones', async () => {
  await open();
  await ready();
  const zip = await readFile(inRepository('tests/golden/pth/zip.pth'));
  const legacy = await readFile(inRepository('tests/golden/pth/legacy.pth'));
  const safetensors = await readFile(inRepository(`models/${defaultModel}`));
  const jpeg = await readFile(inRepository('www/samples/cat.jpg'));
  const accepted = (await page.getAttribute('#file', 'accept')).split(',');
  for (const name of ['.tar', '.ckpt', '.bin', '.pyth', '.pkl', '.pth', '.pt', '.safetensors', 'image/*'])
    assert.ok(accepted.includes(name), name);
  const took = async (name, buffer, labels) => {
    await page.setInputFiles('#file', { name, mimeType: 'application/octet-stream', buffer });
    await page.waitForFunction(
      (labels) =>
        document.querySelector('#strip').textContent.includes(`${labels} classes`) ||
        !document.querySelector('#error').hidden,
      labels,
    );
    await settled();
    assert.equal(await page.locator('#error').isHidden(), true, `${name}: ${await page.textContent('#error')}`);
  };
  const classes = 3; // of the small checkpoints
  for (const [name, buffer, labels] of [
    ['model_best.pth.tar', zip, classes],
    ['last.ckpt', safetensors, 10],
    ['pytorch_model.bin', legacy, classes],
    ['RegNetX.pyth', safetensors, 10],
    ['weights', zip, classes],
    ['photo.jpg', safetensors, 10],
  ]) {
    await took(name, buffer, labels);
  }
  // And a picture is one, whatever its name is.
  await page.setInputFiles('#file', { name: 'holiday.bin', mimeType: 'application/octet-stream', buffer: jpeg });
  await settled();
  assertTop(await shownTop(), goldenOf('cat.jpg').top, 'holiday.bin');
  await page.setInputFiles('#file', {
    name: 'pointer.safetensors',
    mimeType: 'application/octet-stream',
    buffer: Buffer.from('version https://git-lfs.github.com/spec/v1\n'),
  });
  await page.waitForSelector('#error:not([hidden])');
  assert.doesNotMatch(await page.textContent('#error'), /not a picture|Try a JPEG/);
});

test('a first visit keeps to its budgets: bytes, requests, other hosts, layout shift', async () => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, serviceWorkers: 'block' });
  const shipped = await servePage();
  try {
    page = await context.newPage();
    await page.addInitScript(() => {
      globalThis.shift = 0;
      new PerformanceObserver((list) =>
        list.getEntries().forEach(({ value, hadRecentInput }) => (globalThis.shift += hadRecentInput ? 0 : value)),
      ).observe({ type: 'layout-shift', buffered: true });
    });
    const responses = [];
    page.on('response', (response) => responses.push(response));
    await page.goto(shipped.url);
    await page.locator('#stage-note', { hasText: 'By chance' }).waitFor({ timeout: 60_000 });
    const used = {
      requests: responses.length,
      strangers: responses.filter((response) => !response.url().startsWith(shipped.url)).length,
      shift: await page.evaluate(() => globalThis.shift),
    };
    const sizes = await Promise.all(
      responses.map(async (response) => {
        const type = response.headers()['content-type'] ?? '';
        return { type, bytes: /^(text|image)/.test(type) ? await response.body() : Buffer.alloc(0) };
      }),
    );
    const total = (pattern, size) =>
      sizes.filter(({ type }) => pattern.test(type)).reduce((sum, { bytes }) => sum + size(bytes), 0);
    used.documents = total(/^text\/(html|css)/, (bytes) => gzipSync(bytes, { level: 9 }).length);
    used.pictures = total(/^image/, (bytes) => bytes.length);
    const budgets = { requests: 55, strangers: 0, shift: 0.05, documents: 6000, pictures: 900e3 };
    for (const [name, budget] of Object.entries(budgets))
      assert.ok(used[name] <= budget, `${name}: ${used[name]} of ${budget}`);
    assert.ok(used.documents > 1000 && used.pictures > 100e3, JSON.stringify(used)); // they were counted
  } finally {
    await context.close();
    await shipped.close();
    page = undefined;
  }
});

test('a model that cannot be had is said in a sentence', async () => {
  page = await browser.newPage();
  await page.route('**/*.safetensors', (route) => route.fulfill({ status: 404, body: 'none' }));
  await page.goto(server.url);
  await page.waitForSelector('#error:not([hidden])');
  assert.match(await page.textContent('#error'), /^The model could not be loaded\. The model was not found: http.*404/);
  await page.close();
  page = await browser.newPage();
  await page.route('**/*.wasm', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><p>home page' }),
  );
  await page.goto(server.url);
  await page.waitForSelector('#error:not([hidden])');
  assert.match(await page.textContent('#error'), /web page \(HTML\) instead/);
});

/** WCAG contrast of the text of an element against what is behind it. */
const contrasts = () =>
  page.evaluate(() => {
    const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
    const luminance = (rgb) => {
      const [r, g, b] = rgb
        .slice(0, 3)
        .map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.body.querySelectorAll('*')]
      .filter((element) => own(element) && element.checkVisibility({ visibilityProperty: true }))
      .map((element) => {
        const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))];
        return { text: element.textContent.slice(0, 40), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
      });
  });

for (const [name, options] of [
  ['wide and light', {}],
  ['wide and dark', { colorScheme: 'dark' }],
  ['a phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
  [
    'a phone in the dark',
    { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' },
  ],
]) {
  test(`${name}: nothing is cut off sideways, and text has AA contrast`, async () => {
    await open({ reducedMotion: 'reduce', ...options });
    await ready();
    const { scrolled, width } = await page.evaluate(() => ({
      scrolled: document.documentElement.scrollWidth,
      width: innerWidth,
    }));
    assert.ok(scrolled <= width, `the page is ${scrolled} wide in a window of ${width}`);
    await choose(path.join(folder, 'note.jpg'));
    const found = await contrasts();
    assert.ok(found.length > 20, 'text was measured');
    assert.deepEqual(
      found.filter(({ ratio }) => ratio < 4.5),
      [],
    );
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.fill')).transitionDuration), '0s');
    for (const control of await page.locator('label.button, .samples button').all()) {
      const box = await control.boundingBox();
      if (options.isMobile)
        assert.ok(box.height >= 43 && box.width >= 43, `${box.width} x ${box.height} is too small to touch`);
    }
  });
}
