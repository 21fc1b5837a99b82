// The explorer in Chromium: what is shown, said and exported against the library's own numbers; keyboard, touch,
// assistive technology, links, languages, and life without a network.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { repository, serve, servePage } from '../../tools/serve.mjs';
import { checkpoint } from './support/pth.mjs';

const axe = await readFile(path.join(repository, 'node_modules/axe-core/axe.min.js'), 'utf8');
const inRepository = (file) => path.join(repository, file);

const fakeCamera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

let server;
let browser;
let page;
/** Everything that the page complained about; each test expects nothing. */
let complaints = [];

before(async () => {
  server = await servePage();
  browser = await launch({ args: fakeCamera });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  await page?.context().close();
  page = undefined;
  assert.deepEqual(complaints.splice(0), [], 'the page complained in the console');
});

async function open(hash = '', options = {}, from = browser) {
  const context = await from.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', ...options });
  context.setDefaultTimeout(60_000); // a GPU in software, and machines with other work
  page = await context.newPage();
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${server.url}${hash && `#${hash}`}`);
  await page.locator('#headline').waitFor();
  await compared();
  return page;
}

/** The control is there, and with it everything about the shown picture. */
const compared = () => page.locator('#stage-note', { hasText: /By chance|Open another|偶然/ }).waitFor();
const shownState = () => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
const cellOf = (side) => page.locator(`#${side} [role="gridcell"]`);
const addressSays = (name, value) => page.waitForFunction(([name, value]) => (new URLSearchParams(location.hash.slice(1)).get(name) ?? '') === value, [name, value]);

/** The library's own numbers for the page's picture: best matches of block n and of the control. */
const libraryNumbers = (photo, stage, control) =>
  page.evaluate(
    async ([photo, stage, control]) => {
      const { load } = await import('/lib/index.js');
      const net = await load({ backend: 'wasm' });
      const found = net.info.stages.find(({ name }) => name === stage).blocks;
      const taps = [found[0], found.at(-1)];
      const { maps } = await net.features(photo, { taps });
      const other = (await net.features(control, { taps: [taps[0]] })).maps;
      net.dispose();
      const centred = ({ data, dims: [count, h, w] }) =>
        Array.from({ length: count }, (_, c) => {
          const values = Array.from(data.subarray(c * h * w, (c + 1) * h * w));
          const mean = values.reduce((a, b) => a + b, 0) / values.length;
          const less = values.map((value) => value - mean);
          const length = Math.sqrt(less.reduce((sum, value) => sum + value * value, 0));
          return { unit: length > 1e-5 * Math.abs(mean) ? less.map((value) => value / length) : undefined };
        });
      const best = (ys, xs) =>
        ys.map(({ unit: y }) => {
          if (!y) return { match: -1, r: 0 };
          return xs.reduce(
            (most, { unit: x }, match) => {
              const r = x ? y.reduce((sum, value, i) => sum + value * x[i], 0) : 0;
              return Math.abs(r) > Math.abs(most.r) ? { match, r } : most;
            },
            { match: -1, r: 0 },
          );
        });
      const last = centred(maps[taps[1]]);
      return { own: best(last, centred(maps[taps[0]])), chance: best(last, centred(other[taps[0]])) };
    },
    [photo, stage, control],
  );

async function download(kind) {
  await page.click('#export summary');
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(`[data-export="${kind}"]`)]);
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

test('the exported numbers are those of the library, with the control beside each', async () => {
  await open('stage=layer2');
  const { name, bytes } = await download('csv');
  assert.equal(name, 'g-ghostnet-layer2-twins.csv');
  const [head, ...lines] = bytes.toString().trim().split('\r\n');
  assert.equal(head, 'channel,match,score,chance_other_picture,chance_shuffled_positions,energy');
  assert.equal(lines.length, 96);
  const { own, chance } = await libraryNumbers('/samples/pavilion.jpg', 'layer2', '/samples/cat.jpg');
  lines.forEach((line, channel) => {
    const [number, match, score, byChance] = line.split(',');
    assert.equal(Number(number), channel);
    if (own[channel].match < 0) {
      assert.equal(match, '');
      return;
    }
    assert.ok(Math.abs(Number(score) - own[channel].r) < 1e-4, `map ${channel}: ${score} against ${own[channel].r}`);
    assert.ok(Math.abs(Number(byChance) - Math.abs(chance[channel].r)) < 1e-4, `map ${channel} by chance: ${byChance} against ${chance[channel].r}`);
  });
  const near = own.filter(({ r }) => Math.abs(r) > 0.7).length;
  assert.ok((await page.textContent('#headline >> b')).startsWith(`${near} of 96`));

  const document = JSON.parse((await download('json')).bytes);
  assert.deepEqual(document.taps, ['layer2.base', 'layer2.end']);
  assert.equal(document.maps.length, 96);
  assert.equal(document.maps.filter(({ score }) => Math.abs(score ?? 0) > 0.7).length, near);
  const png = await download('png');
  assert.equal(png.bytes.subarray(1, 4).toString(), 'PNG');
  assert.ok(png.bytes.readUInt32BE(16) > 800, 'the picture is as wide as both grids');
});

test('a map under the pointer lights its twin; a click pins it, and the link brings it back', async () => {
  await open();
  const box = await page.locator('#last canvas.maps').boundingBox();
  const unpointed = await cellOf('last').textContent();
  await page.mouse.move(box.x + 90, box.y + 50);
  await page.waitForFunction((before) => document.querySelector('gg-panel').shadowRoot.querySelector('gg-twins').shadowRoot.querySelector('#last').shadowRoot.querySelector('#cell').textContent !== before, unpointed);
  const said = await cellOf('last').textContent();
  const [, channel, twin, r] = said.match(/^Map (\d+), its twin is (\d+), r = (−?\d\.\d\d)$/) ?? assert.fail(said);
  await cellOf('first').filter({ hasText: new RegExp(`^Map ${twin},`) }).waitFor({ state: 'attached' });
  assert.equal(await page.textContent('#pair-score'), `r = ${r}`);
  assert.equal(await page.locator('.tag').textContent(), r);
  assert.ok(await page.locator('svg path').last().getAttribute('d'), 'a thread is drawn');
  await page.mouse.click(box.x + 90, box.y + 50);
  await addressSays('pin', `last.${channel}`);
  await page.mouse.move(box.x + 150, box.y + 110);
  await page.waitForFunction((pinned) => !document.querySelector('gg-panel').shadowRoot.querySelector('[role="status"]').textContent.includes(`map ${pinned}:`), channel);
  await page.mouse.move(5, 5);
  await page.waitForFunction((pinned) => document.querySelector('gg-panel').shadowRoot.querySelector('[role="status"]').textContent.includes(`map ${pinned}:`), channel);
  await page.reload();
  await page.locator('#pair-score').waitFor();
  assert.equal(await page.textContent('#pair-score'), `r = ${r}`);
  assert.match(await cellOf('last').textContent(), new RegExp(`^Map ${channel},`));
});

test('everything that was chosen is in the link', async () => {
  await open();
  await page.click('.samples button[data-file="cat.jpg"]');
  await page.click('#strip button[data-stage="layer2"]');
  await page.selectOption('#sort', 'similarity');
  await page.selectOption('#palette', 'cividis');
  await page.selectOption('#scale', 'stage');
  await page.selectOption('#metric', 'cosine');
  await page.locator('#threshold').fill('0.8');
  await page.click('#theme');
  await addressSays('theme', 'dark');
  await addressSays('sample', 'cat.jpg');
  const state = await shownState();
  assert.deepEqual(state, { sample: 'cat.jpg', stage: 'layer2', threshold: '0.8', metric: 'cosine', sort: 'similarity', palette: 'cividis', scale: 'stage', language: 'en', theme: 'dark' });
  const headline = await page.textContent('#headline');
  await page.reload();
  await page.locator('#headline', { hasText: 'In stage 2' }).waitFor();
  await compared();
  assert.equal(await page.textContent('#headline'), headline);
  assert.match(await page.textContent('#photo-caption'), /Chelsea/);
  assert.equal(await page.inputValue('#palette'), 'cividis');
});

test('grids go by arrow keys, Home and End, and Escape lets go of a pin', async () => {
  await open();
  const grid = page.locator('#first [role="grid"]');
  const columns = Number(await grid.getAttribute('aria-colcount'));
  await grid.focus();
  const press = async (key, channel) => {
    await page.keyboard.press(key);
    await cellOf('first').filter({ hasText: new RegExp(`^Map ${channel}[,. ]`) }).waitFor({ state: 'attached' });
  };
  await press('Control+Home', 0);
  await press('ArrowDown', columns);
  await press('End', 2 * columns - 1);
  await press('ArrowLeft', 2 * columns - 2);
  await press('Home', columns);
  await press('Control+End', 239);
  await press('ArrowRight', 239);
  await page.keyboard.press('Enter');
  await addressSays('pin', 'first.239');
  await page.keyboard.press('Escape');
  await addressSays('pin', '');
  for (const [key, tab] of [['2', 'ghost'], ['3', 'similarity'], ['4', 'numbers'], ['1', 'twins']]) {
    await page.keyboard.press(key);
    await page.locator(`#tab-${tab}[aria-selected="true"]`).waitFor();
  }
});

test('the table says what the grids show, and blank maps are counted', async () => {
  await open();
  await page.locator('summary', { hasText: 'As a table' }).click();
  const rows = page.locator('gg-twins tbody tr');
  await rows.first().waitFor();
  assert.equal(await rows.count(), 240);
  const blank = await page.locator('gg-twins tbody tr', { hasText: 'blank' }).count();
  const note = await page.textContent('#stage-note');
  const said = note.match(/One map is blank/) ? 1 : Number(note.match(/(\d+) maps are blank/)?.[1] ?? 0);
  assert.equal(blank, said);
});

test('on a phone a tap lights a map, and a long press pins it', async () => {
  await open('', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  const maps = page.locator('#first canvas.maps');
  await maps.scrollIntoViewIfNeeded();
  const box = await maps.boundingBox();
  await page.touchscreen.tap(box.x + 100, box.y + 60);
  await page.waitForFunction(() => document.querySelector('gg-panel').state.pointed?.side === 'first');
  const { channel } = await page.evaluate(() => document.querySelector('gg-panel').state.pointed);
  assert.equal((await shownState()).pin, undefined, 'a tap does not pin');
  const touch = (type) => maps.dispatchEvent(type, { pointerType: 'touch', clientX: box.x + 100, clientY: box.y + 60, bubbles: true, composed: true });
  await touch('pointerdown');
  await addressSays('pin', `first.${channel}`);
  await touch('pointerup');
});

/** The shown ghost path computed anew from its weights: the largest error, relative to the largest number. */
const ghostPathError = () =>
  page.evaluate(() => {
    const { path } = document.querySelector('gg-panel').renderRoot.querySelector('gg-ghost-path');
    const { weights: { data, dims: [outputs, inputs] }, source, cheap, merge, ghost } = path;
    const size = source.dims[1] * source.dims[2];
    let worst = 0;
    let largest = 0;
    for (let o = 0; o < outputs; o++) {
      // The bias is what is left at the first position.
      const product = (p) => { let sum = 0; for (let i = 0; i < inputs; i++) sum += data[o * inputs + i] * source.data[i * size + p]; return sum; };
      const bias = cheap.data[o * size] - product(0);
      for (let p = 0; p < size; p += 7) {
        largest = Math.max(largest, Math.abs(cheap.data[o * size + p]));
        worst = Math.max(worst, Math.abs(product(p) + bias - cheap.data[o * size + p]));
        worst = Math.max(worst, Math.abs(Math.max(0, cheap.data[o * size + p] + merge.data[o]) - ghost.data[o * size + p]));
      }
    }
    return worst / largest;
  });

test('the ghost path is what the network computes: weights, sums, ReLU', async () => {
  await open('tab=ghost');
  await page.locator('.term:not(.made)').first().waitFor();
  assert.ok((await ghostPathError()) < 1e-4, `off by ${await ghostPathError()}`);
});

test('the ghost path shows the weights of a PyTorch checkpoint too', async () => {
  await open();
  const keys = JSON.parse(await readFile(inRepository('tests/golden/keys/g_ghost_regnetx_002.json'), 'utf8'));
  await page.setInputFiles('#file', { name: 'made_up.pth', mimeType: 'application/octet-stream', buffer: checkpoint(keys) });
  await page.locator('#strip', { hasText: '152 maps' }).waitFor();
  await page.click('#tab-ghost');
  await page.locator('.term:not(.made)').first().waitFor();
  assert.ok((await ghostPathError()) < 1e-4, `off by ${await ghostPathError()}`);
});

test('the matrix has a table behind it, in its order and with its numbers', async () => {
  await open('tab=similarity&stage=layer2');
  await page.waitForFunction(() => document.querySelector('gg-panel').renderRoot.querySelector('gg-similarity')?.clusters);
  assert.equal(await page.locator('gg-similarity tbody').count(), 0, 'no table is made before it is asked for');
  await page.locator('summary', { hasText: 'The matrix as a table' }).click();
  const shown = async () => {
    await page.locator('gg-similarity tbody tr').first().waitFor();
    return page.locator('gg-similarity .table table').first().evaluate((table) => [...table.rows].map(({ cells }) => [...cells].map(({ textContent }) => textContent.replace('−', '-'))));
  };
  const check = async (rowFrom, columnFrom) => {
    const [[, ...columns], ...rows] = await shown();
    const { order, matrix, width } = await page.evaluate(() => {
      const { clusters, comparison } = document.querySelector('gg-panel').renderRoot.querySelector('gg-similarity');
      return { order: { first: [...clusters.rows], last: [...clusters.columns] }, matrix: [...comparison.matrix], width: comparison.dims[1] };
    });
    assert.deepEqual(columns.map(Number), order.first.slice(columnFrom, columnFrom + 8));
    assert.deepEqual(rows.map(([last]) => Number(last)), order.last.slice(rowFrom, rowFrom + 20));
    for (const [last, ...scores] of rows) scores.forEach((score, i) => assert.ok(Math.abs(Number(score) - matrix[columns[i] * width + Number(last)]) <= 0.00501, `maps ${columns[i]} and ${last}: ${score}`));
  };
  const turn = async (which) => {
    const before = JSON.stringify(await shown());
    await page.click(`[data-turn="${which}"]`);
    await page.waitForFunction((before) => JSON.stringify([...document.querySelector('gg-panel').renderRoot.querySelector('gg-similarity').renderRoot.querySelector('.table table').rows].map(({ cells }) => [...cells].map(({ textContent }) => textContent.replace('−', '-')))) !== before, before);
  };
  while (await page.isEnabled('[data-turn="rows-1"]')) await turn('rows-1');
  while (await page.isEnabled('[data-turn="columns-1"]')) await turn('columns-1');
  await check(0, 0);
  await turn('rows1');
  await turn('columns1');
  await check(20, 8);
});

test('a set is measured with its controls, and the numbers are the library’s own', async () => {
  await open('tab=numbers&stage=layer2');
  await page.click('#measure-samples');
  await page.locator('gg-numbers progress').waitFor();
  await page.locator('[data-value="set-random-cka"]', { hasText: /\d/ }).waitFor();
  const shown = await page.$$eval('gg-panel', ([panel]) => {
    const { study } = panel.renderRoot.querySelector('gg-numbers');
    return { failures: study.failures, images: study.own.images };
  });
  assert.deepEqual(shown, { failures: [], images: 8 });
  const cell = async (name) => Number((await page.textContent(`[data-value="${name}"]`)).replace('−', '-').replace(' %', ''));
  const expected = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm' });
    const samples = await (await fetch('/samples/samples.json')).json();
    const inputs = samples.map(({ file }) => `/samples/${file}`);
    const found = {};
    for (const metric of ['pearson', 'cosine', 'r2', 'cka']) {
      const { score, control, above } = await net.redundancy(inputs, { stage: 2, metric, control: 'other-image' });
      Object.assign(found, { [metric]: score, [`${metric}-chance`]: control.score, ...(metric === 'pearson' && { above: 100 * above }) });
    }
    found.random = (await net.redundancy(inputs, { stage: 2, metric: 'cka', control: 'random-weights' })).control.score;
    net.dispose();
    return found;
  });
  for (const [name, value, tolerance = 0.0051] of [
    ['set-own-pearson', expected.pearson], ['set-own-cosine', expected.cosine], ['set-own-r2', expected.r2], ['set-own-cka', expected.cka],
    ['set-other-pearson', expected['pearson-chance']], ['set-other-cosine', expected['cosine-chance']], ['set-other-r2', expected['r2-chance']], ['set-other-cka', expected['cka-chance']],
    ['set-random-cka', expected.random], ['set-own-above', expected.above, 0.51],
  ]) assert.ok(Math.abs((await cell(name)) - value) <= tolerance, `${name}: ${await cell(name)}, the library has ${value}`);
  // One picture of 576 positions does not carry a fit of 96 channels, and the page says so.
  assert.match(await page.getAttribute('[data-value="alone-own-r2"]', 'class'), /few/);
  assert.match(await page.textContent('#reasons'), /fit/i);
  await page.locator('#cost .amount').first().waitFor();
  assert.deepEqual((await page.locator('#cost .amount').allTextContents()).slice(0, 2), ['3.51 M', '5.67 M']);
  await page.click('#time-both');
  await page.locator('#cost b', { hasText: 'Time on WASM' }).waitFor();
  await page.locator('gg-numbers', { hasText: /WebGPU: .*(graphics card|adapter)/ }).waitFor();
  assert.match((await page.locator('#cost .amount').allTextContents()).at(-1), /^\d+\.\d ms$/);
  await page.click('#measure-samples');
  await page.click('#cancel');
  await page.locator('gg-numbers progress').waitFor({ state: 'detached' });
});

test('what if: the network runs again without its ghosts, as the library’s ablated net does', async () => {
  await open('tab=ghost&pin=last.12');
  const expected = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm' });
    const answers = {};
    for (const [kind, edit] of [['ghost', { stage: 3, ghost: 'off' }], ['merge', { stage: 3, merge: 'off' }], ['map', { channels: [{ tap: 'layer3.end', channel: 12 }] }]]) {
      const other = await net.ablated(edit);
      [answers[kind]] = (await other.classify('/samples/pavilion.jpg')).top;
      other.dispose();
    }
    net.dispose();
    return answers;
  });
  for (const [kind, { label, probability }] of Object.entries(expected)) {
    await page.click(`input[name="ablation"][value="${kind}"]`);
    await page.locator('#outcome tr', { hasText: label }).locator('td', { hasText: `${(100 * probability).toFixed(1)} %` }).first().waitFor();
  }
  await page.click('input[name="ablation"][value="fit"]');
  await page.waitForFunction(() => document.querySelector('gg-panel').renderRoot.querySelector('gg-ghost-path').without?.after);
  await page.locator('#outcome tbody tr').first().waitFor();
});

test('plain and one-block stages say so in every tab', async () => {
  await open('stage=layer1');
  for (const [tab, words] of [['twins', /single block/], ['ghost', /single block/], ['similarity', /one block/], ['numbers', /one block/]]) {
    await page.click(`#tab-${tab}`);
    await page.locator('#panel, #headline', { hasText: words }).first().waitFor();
  }
});

test('the tour moves the real controls by Space and arrow keys', async () => {
  await open();
  await page.click('#tour');
  const step = (number) => page.locator('gg-tour .count', { hasText: `${number} of 8` }).waitFor();
  await step(1);
  await page.keyboard.press('ArrowRight');
  await step(2);
  assert.equal(await page.inputValue('#sort'), 'similarity');
  await page.keyboard.press('Space');
  await step(3);
  await page.locator('#tab-similarity[aria-selected="true"]').waitFor();
  await page.keyboard.press('ArrowLeft');
  await step(2);
  await page.locator('#tab-twins[aria-selected="true"]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('gg-tour .count').waitFor({ state: 'detached' });
});

test('the camera is looked at live, with its rate, and can be paused', async () => {
  await open();
  await page.click('#camera');
  await page.locator('#frame-rate', { hasText: /^\d+(\.\d)? pictures a second$/ }).waitFor();
  await page.click('#pause');
  assert.equal(await page.textContent('#pause'), 'Go on');
  await page.click('#camera');
  await page.locator('#photo-caption', { hasText: 'Pavilion' }).waitFor();
  assert.equal(await page.locator('video').count(), 0);
});

test('an address is fetched when asked, and a refusal is said in a sentence', async () => {
  await open();
  await page.route('https://pictures.example/**', async (route) => {
    if (route.request().url().endsWith('closed.jpg')) await route.abort('failed');
    else await route.fulfill({ body: await readFile(inRepository('www/samples/coffee.jpg')), contentType: 'image/jpeg', headers: { 'Access-Control-Allow-Origin': '*' } });
  });
  await page.click('#link');
  await page.fill('.address input', 'https://pictures.example/open.jpg');
  await page.click('.address button');
  await page.locator('#photo-caption', { hasText: 'open.jpg' }).waitFor();
  await page.fill('.address input', 'https://pictures.example/closed.jpg');
  await page.click('.address button');
  await page.locator('#error', { hasText: /^pictures\.example could not be reached, or does not let other pages read its pictures \(CORS\)/ }).waitFor();
  complaints = complaints.filter((text) => !text.includes('net::ERR_FAILED'));
});

test('the status panel tells the engine and why, and another one can be chosen', async () => {
  await open();
  await page.click('#engine summary');
  assert.match(await page.textContent('#fact-engineUsed'), /^WASM \((relaxed|fixed)(-threads)?\), in a worker$/);
  for (const key of ['loadTime', 'firstTime', 'warmTime']) assert.match(await page.textContent(`#fact-${key}`), /^\d+\.\d ms$/);
  assert.match(await page.textContent('#fact-memory'), /^\d+\.\d MB$/);
  await page.click('[data-backend="webgpu"]');
  await page.locator('#error', { hasText: /WebGPU/ }).waitFor();
  assert.equal((await page.$$('.top li')).length, 5, 'the answer stays');
});

test('both languages have the same words with the same places', async () => {
  const [en, zh] = await Promise.all(['en', 'zh'].map(async (name) => Object.assign({}, ...Object.values(await import(`../../www/language/${name}.js`)))));
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  const places = (phrase) => [...new Set((typeof phrase === 'string' ? phrase : Object.values(phrase).join(' ')).match(/\{\w+\}/g) ?? [])].sort();
  for (const key of Object.keys(en)) assert.deepEqual(places(zh[key]), places(en[key]), key);
  const html = await readFile(inRepository('www/index.html'), 'utf8');
  const found = [...html.matchAll(/data-text="(\w+)">([^<]*)</g)];
  assert.ok(found.length > 8, 'there are words in the document');
  for (const [, key, words] of found) assert.equal(words, en[key], key);
  for (const [, key, words] of html.matchAll(/data-label="(\w+)" aria-label="([^"]*)"/g)) assert.equal(words, en[key], key);
});

test('the page speaks Chinese', async () => {
  await open('', { locale: 'zh-CN' });
  assert.equal(await page.getAttribute('html', 'lang'), 'zh');
  await page.locator('#headline', { hasText: /阶段/ }).waitFor();
  await page.selectOption('#language', 'en');
  await page.locator('#headline', { hasText: 'In stage 3' }).waitFor();
});

for (const [name, hash, options] of [
  ['twins, wide and light', '', {}],
  ['ghost path, wide and dark', 'tab=ghost', { colorScheme: 'dark' }],
  ['similarity, wide and light', 'tab=similarity', {}],
  ['numbers, a phone', 'tab=numbers', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
  ['twins, a phone in the dark', '', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'dark' }],
]) {
  test(`axe finds nothing to object to: ${name}`, async () => {
    await open(hash, options);
    if (name.startsWith('twins, wide')) await page.click('#engine summary');
    if (name.startsWith('similarity')) await page.locator('summary', { hasText: 'The matrix as a table' }).click();
    await page.waitForTimeout(300);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations', 'passes'] }));
    assert.ok(passes.length > 20, 'rules were applied');
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join(' | ')}`), []);
    const { scrolled, width } = await page.evaluate(() => ({ scrolled: document.documentElement.scrollWidth, width: innerWidth }));
    assert.ok(scrolled <= width, `the page is ${scrolled} wide in a window of ${width}`);
  });
}

test('at 200 % zoom nothing is cut off sideways', async () => {
  await open('', { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 });
  const { scrolled, width } = await page.evaluate(() => ({ scrolled: document.documentElement.scrollWidth, width: innerWidth }));
  assert.ok(scrolled <= width, `the page is ${scrolled} wide in a window of ${width}`);
});

test('after the first visit the page works without a network, from a folder below a host’s root', async () => {
  const site = await serve(null, { mounts: { '/some/where/': inRepository('dist/site') }, coi: false });
  const context = await browser.newContext();
  context.setDefaultTimeout(60_000);
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  const rare = 'wasm/fixed-int8/g_ghostnet_bg.wasm';
  const bytesOf = (name) => page.evaluate(async (name) => (await (await fetch(name)).arrayBuffer()).byteLength, name);
  let size;
  try {
    await page.goto(`${site.url}some/where/`);
    await page.locator('#headline').waitFor();
    await page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      while (active.state !== 'activated') await new Promise((resolve) => active.addEventListener('statechange', resolve, { once: true }));
      while (!navigator.serviceWorker.controller) await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }));
    });
    // What few visitors need is kept once it was asked for.
    assert.equal(await page.evaluate(async (name) => (await caches.match(name)) ?? null, rare), null);
    size = await bytesOf(rare);
    assert.ok(size > 1e5);
  } finally {
    await site.close();
  }
  await page.reload();
  await page.locator('#headline', { hasText: 'In stage 3' }).waitFor();
  assert.equal(await bytesOf(rare), size);
  await assert.rejects(bytesOf('wasm/fixed-int8-threads/g_ghostnet_bg.wasm'));
  await page.click('.samples button[data-file="dahlia.jpg"]');
  await page.locator('#photo-caption', { hasText: 'Dahlia' }).waitFor();
});

test('on WebGPU: the same twins and the same numbers, and the engine is named', async () => {
  const gpu = await launch({ webgpu: true, args: fakeCamera });
  try {
    await open('stage=layer2&backend=webgpu', {}, gpu);
    assert.match(await page.textContent('#engine-badge'), /^WebGPU · \d+\.\d ms$/);
    const lines = (await download('csv')).bytes.toString().trim().split('\r\n').slice(1);
    const { own } = await libraryNumbers('/samples/pavilion.jpg', 'layer2', '/samples/cat.jpg');
    lines.forEach((line, channel) => {
      const score = Number(line.split(',')[2]);
      if (own[channel].match >= 0) assert.ok(Math.abs(score - own[channel].r) < 1e-3, `map ${channel}: ${score}, on WASM ${own[channel].r}`);
    });
    await page.click('#strip button[data-stage="layer3"]');
    await page.locator('#headline', { hasText: 'In stage 3' }).waitFor();
    await page.click('#camera');
    await page.locator('#frame-rate', { hasText: /pictures a second/ }).waitFor();
    await page.locator('#last[data-drawn-by="webgpu"]').waitFor();
    const bright = await page.evaluate(() => {
      const canvas = document.querySelector('gg-panel').renderRoot.querySelector('gg-twins').renderRoot.querySelector('#last').renderRoot.querySelector('.maps');
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
      copy.drawImage(canvas, 0, 0);
      return new Set(new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
    });
    assert.ok(bright > 50, `the graphics card drew ${bright} colours`);
    await page.click('#camera');
    await page.locator('#photo-caption', { hasText: 'Pavilion' }).waitFor();
    await page.keyboard.press('2');
    await page.locator('#path-ghost [role="grid"]').waitFor();
    await page.click('#engine summary');
    await page.click('[data-backend="wasm"]');
    await page.locator('#engine-badge', { hasText: /^WASM/ }).waitFor();
    await addressSays('backend', 'wasm');
    await page.context().close();
    page = undefined;
  } finally {
    await gpu.close();
  }
});

test('Firefox: the page answers on WebAssembly, compares, and lights twins', async () => {
  // No driver: a script beside the page's own looks and reports, by asking for an address.
  const probe = `
    const say = (text) => fetch('/report?' + encodeURIComponent(text));
    const until = async (find) => { for (;;) { const found = find(); if (found) return found; await new Promise((go) => setTimeout(go, 50)); } };
    addEventListener('securitypolicyviolation', (event) => say('refused: ' + event.violatedDirective + ' ' + event.blockedURI));
    addEventListener('error', (event) => say('error: ' + event.message));
    const panel = await until(() => document.querySelector('gg-panel'));
    await until(() => /By chance/.test(panel.renderRoot.querySelector('#stage-note')?.textContent ?? ''));
    const grid = panel.renderRoot.querySelector('gg-twins').renderRoot.querySelector('#last');
    grid.renderRoot.querySelector('[role="grid"]').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home', ctrlKey: true, bubbles: true, composed: true }));
    const cell = await until(() => /^Map 0,/.test(grid.renderRoot.querySelector('#cell').textContent) && grid.renderRoot.querySelector('#cell').textContent);
    document.querySelector('gg-panel').renderRoot.querySelector('#tab-similarity').click();
    await until(() => panel.renderRoot.querySelector('gg-similarity')?.clusters);
    await say(['done', document.querySelector('#engine-badge').textContent, panel.renderRoot.querySelector('#headline').textContent, cell, navigator.userAgent].join('\\n'));`;
  const folder = await mkdtemp(path.join(tmpdir(), 'firefox-'));
  await mkdir(path.join(folder, 'profile'));
  const types = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.css': 'text/css', '.json': 'application/json', '.html': 'text/html' };
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
        let body = name === '/probe.js' ? probe : await readFile(inRepository(`dist/site${name}`)).catch(() => undefined);
        if (name === '/index.html') body = body.toString().replace('</head>', '<script type="module" src="probe.js"></script></head>');
        response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': types[path.extname(name)] ?? 'application/octet-stream' });
        response.end(body);
      });
      site.listen(0, '127.0.0.1', () => {
        firefox = execFile(process.env.FIREFOX ?? 'firefox-esr', ['--headless', '--no-remote', '--profile', path.join(folder, 'profile'), `http://127.0.0.1:${site.address().port}/`], { env: { ...process.env, HOME: folder } });
        firefox.on('error', reject);
      });
    });
    const [state, badge, headline, cell, agent] = answer.split('\n');
    assert.equal(state, 'done', answer);
    assert.match(badge, /^WASM · /);
    assert.match(headline.replaceAll(/\s+/g, ' '), /In stage 3, \d+ of 240 maps/);
    assert.match(cell, /^Map 0, its twin is \d+, r = /);
    assert.match(agent, /Firefox/);
  } finally {
    firefox?.kill();
    site?.close();
    site?.closeAllConnections();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
});
