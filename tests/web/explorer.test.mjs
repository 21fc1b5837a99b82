// The explorer in Chromium: what is shown, said and exported against the library's own numbers; keyboard, touch,
// assistive technology, links and languages.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import {
  expectComplaints,
  explorerPages,
  inRepository,
  open,
  page,
  phone,
  until,
  withWebgpu,
} from './support/explorer.mjs';
import { checkpoint } from './support/pth.mjs';
import { defaultModel } from './support/site.mjs';

explorerPages();

const madeUp = async (variant) => {
  const keys = JSON.parse(await readFile(inRepository(`tests/golden/keys/${variant}.json`), 'utf8'));
  return { name: 'made_up.pth', mimeType: 'application/octet-stream', buffer: checkpoint(keys) };
};

test('a visit is three runs of the network, and another measure is none', async () => {
  await open();
  for (const tab of ['ghost', 'numbers', 'similarity', 'twins']) await page.tab(tab);
  await page.tab('numbers');
  await page.find('[data-value="alone-other-cka"]', { hasText: /\d/ }).waitFor();
  await page.tab('ghost');
  await page.find('.term:not(.made)').first().waitFor();
  const runs = async () => (await page.calls('run')).filter(({ run }) => run).length;
  // The answer, the maps with what every view asks, and those of the control.
  assert.equal(await runs(), 3);
  await page.select('#metric', 'cosine');
  await page.headline('|cos|');
  await until(async () => (await page.state('comparison')).metric === 'cosine', 'the comparison is by cosine');
  await page.idle();
  assert.equal(await runs(), 3);
});

test('maps move to the comparison, and none is sent twice', async () => {
  await open();
  await page.select('#metric', 'cosine');
  await until(async () => (await page.state('comparison'))?.metric === 'cosine', 'the comparison is by cosine');
  await page.idle();
  const calls = await page.calls();
  const compared = calls.filter(({ method }) => ['hold', 'correlate', 'control', 'shuffle', 'add'].includes(method));
  assert.ok(compared.length >= 5, 'maps were compared');
  assert.deepEqual(
    compared.filter(({ copied }) => copied),
    [],
  );
  assert.equal(
    compared.filter(({ method }) => method === 'hold').length,
    3,
    'block 1, block n and block 1 of the control',
  );
});

test('the exported numbers are those of the library, with the control beside each', async () => {
  await open('stage=layer2');
  const { name, bytes } = await page.download('csv');
  assert.equal(name, 'g-ghostnet-layer2-twins.csv');
  const [head, ...lines] = bytes.toString().trim().split('\r\n');
  assert.equal(head, 'channel,match,score,chance_other_picture,chance_shuffled_positions,energy');
  assert.equal(lines.length, 96);
  const { own, chance } = await page.libraryNumbers('/samples/cat.jpg', 'layer2', '/samples/coffee.jpg');
  lines.forEach((line, channel) => {
    const [number, match, score, byChance] = line.split(',');
    assert.equal(Number(number), channel);
    if (own[channel].match < 0) {
      assert.equal(match, '');
      return;
    }
    near(score, own[channel].r, 1e-4, `map ${channel}`);
    near(byChance, Math.abs(chance[channel].r), 1e-4, `map ${channel} by chance`);
  });
  const twins = own.filter(({ r }) => Math.abs(r) > 0.7).length;
  assert.ok((await page.textOf('#headline >> b')).startsWith(`${twins} of 96`));
  const document = JSON.parse((await page.download('json')).bytes);
  assert.deepEqual(document.taps, ['layer2.base', 'layer2.end']);
  const model = await readFile(inRepository(`models/${defaultModel}`));
  assert.equal(document.model.sha256, createHash('sha256').update(model).digest('hex'));
  assert.deepEqual([document.picture, document.control], ['Chelsea the cat', 'coffee.jpg']);
  assert.deepEqual(document.side, { answer: 192, maps: 192 });
  own.forEach(({ match }, i) => {
    if (match < 0) assert.deepEqual([document.maps[i].match, document.maps[i].score], [null, null]);
  });
  assert.equal(document.maps.length, 96);
  assert.equal(document.maps.filter(({ score }) => Math.abs(score ?? 0) > 0.7).length, twins);
});

test('a view is exported as a picture of both grids', async () => {
  await open('stage=layer2');
  const { bytes } = await page.download('png');
  assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
  assert.ok(bytes.readUInt32BE(16) > 800, 'the picture is as wide as both grids');
});

/** @param {string | number} found @param {number} expected */
function near(found, expected, tolerance, name) {
  assert.ok(Math.abs(Number(found) - expected) <= tolerance, `${name}: ${found} against ${expected}`);
}

test('a map under the pointer lights its twin; a click pins it, and the link brings it back', async () => {
  await open();
  const box = await page.find('#last canvas.maps').boundingBox();
  const { mouse } = page.raw;
  const unpointed = await page.cell('last').textContent();
  await mouse.move(box.x + 90, box.y + 50);
  await until(async () => (await page.cell('last').textContent()) !== unpointed, 'another map is lit');
  const said = await page.cell('last').textContent();
  const [, channel, twin, r] = said.match(/^Map (\d+), its twin is (\d+), r = (−?\d\.\d\d)$/) ?? assert.fail(said);
  await page
    .cell('first')
    .filter({ hasText: new RegExp(`^Map ${twin},`) })
    .waitFor({ state: 'attached' });
  assert.equal(await page.textOf('#pair-score'), `r = ${r}`);
  assert.equal(await page.textOf('#pair-score'), `r = ${r}`);
  assert.ok(await page.find('svg path').last().getAttribute('d'), 'a thread is drawn');
  await mouse.click(box.x + 90, box.y + 50);
  await page.addressSays('pin', `last.${channel}`);
  const isSpoken = async () => (await page.spoken()).includes(`map ${channel}:`);
  await mouse.move(box.x + 150, box.y + 110);
  await until(async () => !(await isSpoken()), 'another pair is spoken');
  await mouse.move(5, 5);
  await until(isSpoken, 'the pinned pair is spoken');
  await page.raw.reload();
  await page.find('#pair-score').waitFor();
  assert.equal(await page.textOf('#pair-score'), `r = ${r}`);
  assert.match(await page.cell('last').textContent(), new RegExp(`^Map ${channel},`));
});

test('everything that was chosen is in the link', async () => {
  await open();
  await page.sample('pavilion.jpg');
  await page.stage('layer2');
  await page.select('#sort', 'similarity');
  await page.select('#palette', 'cividis');
  await page.select('#scale', 'stage');
  await page.select('#metric', 'cosine');
  await page.find('#threshold').fill('0.8');
  await page.click('#theme');
  await page.addressSays('theme', 'dark');
  await page.addressSays('sample', 'pavilion.jpg');
  assert.deepEqual(await page.address(), {
    sample: 'pavilion.jpg',
    threshold: '0.8',
    metric: 'cosine',
    sort: 'similarity',
    palette: 'cividis',
    scale: 'stage',
    language: 'en',
    theme: 'dark',
  });
  await page.compared();
  const headline = await page.textOf('#headline');
  await page.raw.reload();
  await page.headline('In stage 2');
  await page.compared();
  assert.equal(await page.textOf('#headline'), headline);
  assert.match(await page.textOf('#photo-caption'), /Pavilion/);
  assert.equal(await page.raw.inputValue('#palette'), 'cividis');
});

test('grids go by arrow keys, Home and End, and Escape lets go of a pin', async () => {
  await open();
  const grid = page.find('#first [role="grid"]');
  const columns = Number(await grid.getAttribute('aria-colcount'));
  await grid.focus();
  for (const [key, channel] of [
    ['Control+Home', 0],
    ['ArrowDown', columns],
    ['End', 2 * columns - 1],
    ['ArrowLeft', 2 * columns - 2],
    ['Home', columns],
    ['Control+End', 239],
    ['ArrowRight', 239],
  ]) {
    await page.press(key);
    await page
      .cell('first')
      .filter({ hasText: new RegExp(`^Map ${channel}[,. ]`) })
      .waitFor({ state: 'attached' });
  }
  await page.press('Enter');
  await page.addressSays('pin', 'first.239');
  await page.press('Escape');
  await page.addressSays('pin', '');
});

test('digits open the views', async () => {
  await open();
  for (const [key, tab] of [
    ['2', 'ghost'],
    ['3', 'similarity'],
    ['4', 'numbers'],
    ['1', 'twins'],
  ]) {
    await page.press(key);
    await page.find(`#tab-${tab}[aria-selected="true"]`).waitFor();
  }
});

test('the table says what the grids show, and blank maps are counted', async () => {
  await open('stage=layer4');
  await page.find('summary', { hasText: 'As a table' }).click();
  const rows = page.find('gg-twins tbody tr');
  await rows.first().waitFor();
  assert.equal(await rows.count(), 528);
  const blank = await page.find('gg-twins tbody tr', { hasText: 'blank' }).count();
  assert.ok(blank > 1, 'the last stage has blank maps');
  assert.match(await page.textOf('#stage-note'), new RegExp(`${blank} maps are blank`));
});

test('on a phone a tap lights a map and pins nothing; a long press pins', async () => {
  await open('', phone);
  const maps = page.find('#first canvas.maps');
  await maps.scrollIntoViewIfNeeded();
  const box = await maps.boundingBox();
  await page.raw.touchscreen.tap(box.x + 100, box.y + 60);
  const { channel } = await until(async () => {
    const pointed = await page.state('pointed');
    return pointed?.side === 'first' && pointed;
  }, 'a map of block 1 is lit');
  assert.equal(await page.state('pin'), '', 'a tap does not pin');
  const at = { pointerType: 'touch', clientX: box.x + 100, clientY: box.y + 60, bubbles: true, composed: true };
  await maps.dispatchEvent('pointerdown', at);
  await page.addressSays('pin', `first.${channel}`);
  await maps.dispatchEvent('pointerup', at);
});

/** The shown ghost path computed anew from its weights: the largest error, relative to the largest number. */
const ghostPathError = () =>
  page.inView('gg-ghost-path', ({ path: { source, cheap, merge, ghost }, state }) => {
    const {
      weight,
      bias,
      dims: [outputs, inputs],
    } = state.answers.weights;
    const size = source.dims[1] * source.dims[2];
    let [worst, largest] = [0, 0];
    for (let o = 0; o < outputs; o++) {
      for (let p = 0; p < size; p += 7) {
        let sum = bias[o];
        for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * source.data[i * size + p];
        const made = cheap.data[o * size + p];
        const added = Math.max(0, made + merge.data[o]) - ghost.data[o * size + p];
        largest = Math.max(largest, Math.abs(made));
        worst = Math.max(worst, Math.abs(sum - made), Math.abs(added));
      }
    }
    return worst / largest;
  });

test('the ghost path is what the network computes: weights, sums, ReLU', async () => {
  await open('tab=ghost');
  await page.find('.term:not(.made)').first().waitFor();
  near(await ghostPathError(), 0, 1e-4, 'the largest error');
});

test('the ghost path shows the weights of a PyTorch checkpoint too', async () => {
  await open();
  await page.raw.setInputFiles('#file', await madeUp('g_ghost_regnetx_002'));
  await page.find('#strip', { hasText: '24, one block' }).waitFor();
  await page.tab('ghost');
  await page.find('.term:not(.made)').first().waitFor();
  near(await ghostPathError(), 0, 1e-4, 'the largest error');
});

/** The rows of the matrix's table as text. */
async function matrixRows() {
  await page.find('gg-similarity tbody tr').first().waitFor();
  return page
    .find('gg-similarity .table table')
    .first()
    .evaluate((table) =>
      [...table.rows].map(({ cells }) => [...cells].map(({ textContent }) => textContent.replace('−', '-'))),
    );
}

async function turnMatrix(which) {
  const before = JSON.stringify(await matrixRows());
  await page.click(`[data-turn="${which}"]`);
  await until(async () => JSON.stringify(await matrixRows()) !== before, `the table turns: ${which}`);
}

async function checkMatrix(rowFrom, columnFrom) {
  const [[, ...columns], ...rows] = await matrixRows();
  const { first, last, matrix, width } = await page.inView('gg-similarity', ({ state: { answers, comparison } }) => ({
    first: [...answers.order.rows],
    last: [...answers.order.columns],
    matrix: [...comparison.matrix],
    width: comparison.dims[1],
  }));
  assert.deepEqual(columns.map(Number), first.slice(columnFrom, columnFrom + 8));
  assert.deepEqual(
    rows.map(([map]) => Number(map)),
    last.slice(rowFrom, rowFrom + 20),
  );
  for (const [map, ...scores] of rows) {
    scores.forEach((score, i) =>
      near(score, matrix[columns[i] * width + Number(map)], 0.00501, `${columns[i]}, ${map}`),
    );
  }
}

test('the matrix has a table behind it, in its order and with its numbers', async () => {
  await open('tab=similarity&stage=layer2');
  await page.untilView('gg-similarity', ({ state }) => state.answers.order);
  assert.equal(await page.find('gg-similarity tbody').count(), 0, 'no table is made before it is asked for');
  await page.find('summary', { hasText: 'The matrix as a table' }).click();
  while (await page.raw.isEnabled('[data-turn="rows-1"]')) await turnMatrix('rows-1');
  while (await page.raw.isEnabled('[data-turn="columns-1"]')) await turnMatrix('columns-1');
  await checkMatrix(0, 0);
  await turnMatrix('rows1');
  await turnMatrix('columns1');
  await checkMatrix(20, 8);
});

/** What the library measures over the samples in stage 2. */
async function measuredByLibrary() {
  const { load } = await import('/lib/index.js');
  const net = await load({ backend: 'wasm' });
  const samples = await (await fetch('/samples/samples.json')).json();
  const inputs = samples.map(({ file }) => `/samples/${file}`);
  const found = {};
  for (const metric of ['pearson', 'cosine', 'r2', 'cka']) {
    const { score, control, above } = await net.redundancy(inputs, { stage: 2, metric, control: 'other-image' });
    Object.assign(found, { [`own-${metric}`]: score, [`other-${metric}`]: control.score });
    if (metric === 'pearson') found['own-above'] = above;
  }
  const random = await net.redundancy(inputs, { stage: 2, metric: 'cka', control: 'random-weights' });
  net.dispose();
  return { ...found, 'random-cka': random.control.score };
}

test('a set is measured with its controls, and the numbers are the library’s own', async () => {
  await open('tab=numbers&stage=layer2');
  await page.click('#measure-samples');
  await page.find('gg-numbers progress').waitFor();
  await page.find('[data-value="set-random-cka"]', { hasText: /\d/ }).waitFor();
  const { failures, own } = (await page.state('answers')).set;
  assert.deepEqual([failures, own.images], [[], 8]);
  const expected = await page.evaluate(measuredByLibrary);
  for (const [name, value] of Object.entries(expected)) {
    const shown = (await page.textOf(`[data-value="set-${name}"]`)).replace('−', '-');
    const percent = shown.endsWith(' %');
    near(percent ? shown.slice(0, -2) / 100 : shown, value, 0.0051, name);
  }
});

test('one picture that does not carry a measure says so', async () => {
  await open('tab=numbers&stage=layer2');
  // 576 positions for a fit of 96 channels.
  await page.find('[data-value="alone-own-r2"].caveat').waitFor();
  assert.match(await page.textOf('#reasons'), /fit/i);
});

test('a measurement can be cancelled', async () => {
  await open('tab=numbers&stage=layer2');
  await page.click('#measure-samples');
  await page.click('#cancel');
  await page.find('gg-numbers progress').waitFor({ state: 'detached' });
  assert.equal(await page.state('set'), undefined);
});

test('what the ghosts save is counted, and timed on this device', async () => {
  await open('tab=numbers&stage=layer2');
  const amounts = page.find('#cost .amount');
  await amounts.first().waitFor();
  assert.deepEqual((await amounts.allTextContents()).slice(0, 2), ['3.51 M', '5.67 M']);
  await page.click('#time-both');
  await page.find('#cost b', { hasText: 'Time on WASM' }).waitFor();
  await page.find('gg-numbers', { hasText: /WebGPU: .*(graphics card|adapter)/ }).waitFor();
  assert.match((await amounts.allTextContents()).at(-1), /^\d+\.\d ms$/);
});

/** What the library answers without parts of the network. */
async function answersWithout() {
  const { load } = await import('/lib/index.js');
  const net = await load({ backend: 'wasm' });
  const answers = {};
  for (const [kind, edit] of [
    ['ghost', { stage: 3, ghost: 'off' }],
    ['merge', { stage: 3, merge: 'off' }],
    ['map', { channels: [{ tap: 'layer3.end', channel: 12 }] }],
  ]) {
    const other = await net.ablated(edit);
    [answers[kind]] = (await other.classify('/samples/cat.jpg')).top;
    other.dispose();
  }
  net.dispose();
  return answers;
}

test('what if: the network runs again without its ghosts, as the library’s ablated net does', async () => {
  await open('tab=ghost&pin=last.12');
  const expected = await page.evaluate(answersWithout);
  for (const [kind, { label, probability }] of Object.entries(expected)) {
    await page.click(`input[name="ablation"][value="${kind}"]`);
    const row = page.find('#outcome tr', { hasText: label });
    await row
      .locator('td', { hasText: `${(100 * probability).toFixed(1)} %` })
      .first()
      .waitFor();
  }
  await page.click('input[name="ablation"][value="fit"]');
  await page.untilView('gg-ghost-path', ({ state }) => state.answers.without?.after);
  await page.find('#outcome tbody tr').first().waitFor();
});

test('a stage of one block says so in every view', async () => {
  await open('stage=layer1');
  for (const [tab, selector, words] of [
    ['twins', '#headline', /single block/],
    ['ghost', 'gg-ghost-path .lead', /single block/],
    ['similarity', 'gg-similarity p', /one block/],
    ['numbers', 'gg-numbers p', /one block/],
  ]) {
    await page.tab(tab);
    await page.find(selector, { hasText: words }).first().waitFor();
  }
});

test('a plain stage of several blocks has twins, and no ghosts', async () => {
  await open();
  await page.raw.setInputFiles('#file', await madeUp('regnetx_004'));
  await page.find('#strip', { hasText: '384, plain' }).waitFor();
  await page.stage('layer3');
  await page.find('#stage-note', { hasText: 'Stage 3 is plain: it computes every map in full.' }).waitFor();
  await page.tab('ghost');
  await page.find('gg-ghost-path .lead', { hasText: 'Stage 3 is plain: all 160 maps pass every block' }).waitFor();
  await page.tab('numbers');
  await page.find('gg-numbers .note', { hasText: 'This network has no ghost stages' }).waitFor();
});

test('a network of another family is compared by what its blocks add', async () => {
  await open();
  await page.raw.setInputFiles('#file', await madeUp('resnet18'));
  await page.find('#strip', { hasText: '512, plain' }).waitFor();
  await page.stage('layer2');
  await page.select('#compare', 'layer2.0,layer2.1.conv2');
  await page.headline('Of the maps that the last block of stage 2 added');
});

test('the tour moves the real controls by Space and arrow keys', async () => {
  await open();
  await page.click('#tour');
  const step = (number) => page.find('gg-tour .count', { hasText: `${number} of 8` }).waitFor();
  await step(1);
  await page.press('ArrowRight');
  await step(2);
  assert.equal(await page.raw.inputValue('#sort'), 'similarity');
  await page.press('Space');
  await step(3);
  await page.find('#tab-similarity[aria-selected="true"]').waitFor();
  await page.press('ArrowLeft');
  await step(2);
  await page.find('#tab-twins[aria-selected="true"]').waitFor();
  await page.press('Escape');
  await page.find('gg-tour .count').waitFor({ state: 'detached' });
});

test('the camera is looked at live, with its rate, and can be paused', async () => {
  await open();
  await page.click('#camera');
  await page.find('#frame-rate', { hasText: /^\d+(\.\d)? pictures a second$/ }).waitFor();
  await page.click('#pause');
  assert.equal(await page.textOf('#pause'), 'Resume');
  await page.click('#camera');
  await page.caption('Chelsea');
  assert.equal(await page.find('video').count(), 0);
});

test('a picture that is chosen while the camera runs takes over, and stopping it brings back what was there', async () => {
  await open('sample=dahlia.jpg');
  await page.click('#camera');
  await page.find('#frame-rate', { hasText: /\d/ }).waitFor();
  await page.sample('coffee.jpg');
  await page.caption('Cup of coffee');
  await page.find('video').waitFor({ state: 'detached' });
  await page.click('#camera');
  await page.find('#frame-rate', { hasText: /\d/ }).waitFor();
  await page.click('#camera');
  await page.caption('Cup of coffee');
});

test('a link that asks for what there is not shows the rest, and says what is missing', async () => {
  await open('backend=webgpu&model=none.safetensors&palette=plaid&metric=guess&sort=x&scale=x&side=9&tab=none');
  await page.find('#error', { hasText: /^What the link asks for is not to be had here/ }).waitFor();
  assert.equal(await page.find('.top li').count(), 5);
  assert.equal(await page.state('palette'), 'viridis');
  assert.equal(await page.state('metric'), 'pearson');
  expectComplaints('(404)');
});

test('an address is fetched when asked, and a refusal is said in a sentence', async () => {
  await open();
  await page.raw.route('https://pictures.example/**', async (route) => {
    if (route.request().url().endsWith('closed.jpg')) await route.abort('failed');
    else {
      const body = await readFile(inRepository('www/samples/coffee.jpg'));
      await route.fulfill({ body, contentType: 'image/jpeg', headers: { 'Access-Control-Allow-Origin': '*' } });
    }
  });
  await page.click('#link');
  await page.raw.fill('.address input', 'https://pictures.example/open.jpg');
  await page.click('.address button');
  await page.caption('open.jpg');
  await page.raw.fill('.address input', 'https://pictures.example/closed.jpg');
  await page.click('.address button');
  const refusal = /^pictures\.example could not be reached, or does not let other pages read its pictures \(CORS\)/;
  await page.find('#error', { hasText: refusal }).waitFor();
  expectComplaints('net::ERR_FAILED');
});

test('the status panel tells the engine and why, and another one can be chosen', async () => {
  await open();
  await page.click('#engine summary');
  assert.match(await page.textOf('#fact-engineUsed'), /^WASM \((relaxed|fixed)(-threads)?\), in a worker$/);
  for (const key of ['loadTime', 'firstTime', 'warmTime']) {
    assert.match(await page.textOf(`#fact-${key}`), /^\d+\.\d ms$/);
  }
  assert.match(await page.textOf('#fact-memory'), /^\d+\.\d MB$/);
  await page.click('[data-backend="webgpu"]');
  await page.find('#error', { hasText: /WebGPU/ }).waitFor();
  assert.equal(await page.find('.top li').count(), 5, 'the answer stays');
});

test('both languages have the same words with the same places', async () => {
  const [en, zh] = await Promise.all(
    ['en', 'zh'].map(async (name) =>
      Object.assign({}, ...Object.values(await import(`../../www/language/${name}.js`))),
    ),
  );
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  const places = (phrase) =>
    [
      ...new Set((typeof phrase === 'string' ? phrase : Object.values(phrase).join(' ')).match(/\{\w+\}/g) ?? []),
    ].sort();
  for (const key of Object.keys(en)) assert.deepEqual(places(zh[key]), places(en[key]), key);
  const html = await readFile(inRepository('www/index.html'), 'utf8');
  const found = [...html.matchAll(/data-text="(\w+)">([^<]*)</g)];
  assert.ok(found.length > 8, 'there are words in the document');
  for (const [, key, words] of found) assert.equal(words, en[key], key);
  for (const [, key, words] of html.matchAll(/data-label="(\w+)" aria-label="([^"]*)"/g))
    assert.equal(words, en[key], key);
});

test('the page speaks Chinese', async () => {
  await open('', { locale: 'zh-CN' });
  assert.equal(await page.raw.getAttribute('html', 'lang'), 'zh');
  await page.headline(/阶段/);
  await page.select('#language', 'en');
  await page.headline('In stage 3');
});

const axe = await readFile(inRepository('node_modules/axe-core/axe.min.js'), 'utf8');

for (const [name, hash, options] of [
  ['twins, wide and light', '', {}],
  ['ghost path, wide and dark', 'tab=ghost', { colorScheme: 'dark' }],
  ['similarity, wide and light', 'tab=similarity', {}],
  ['numbers, a phone', 'tab=numbers', phone],
  ['twins, a phone in the dark', '', { ...phone, colorScheme: 'dark' }],
]) {
  test(`axe finds nothing to object to: ${name}`, async () => {
    await open(hash, options);
    if (name.startsWith('twins, wide')) await page.click('#engine summary');
    if (name.startsWith('similarity')) await page.find('summary', { hasText: 'The matrix as a table' }).click();
    await page.idle();
    await page.still();
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => {
      return globalThis.axe.run(document, { resultTypes: ['violations', 'passes'] });
    });
    assert.ok(passes.length > 20, 'rules were applied');
    const said = ({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`;
    assert.deepEqual(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(said).join(' | ')}`),
      [],
    );
    await page.isWithinWidth();
  });
}

test('at 200 % zoom nothing is cut off sideways', async () => {
  await open('', { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 });
  await page.isWithinWidth();
});

test('on WebGPU: the same twins and the same numbers, and the engine is named', () =>
  withWebgpu(async (gpu) => {
    await open('stage=layer2&backend=webgpu', {}, { from: gpu });
    assert.match(await page.textOf('#engine-badge'), /^WebGPU · \d+\.\d ms$/);
    const lines = (await page.download('csv')).bytes.toString().trim().split('\r\n').slice(1);
    const { own } = await page.libraryNumbers('/samples/cat.jpg', 'layer2', '/samples/coffee.jpg');
    lines.forEach((line, channel) => {
      if (own[channel].match >= 0) near(line.split(',')[2], own[channel].r, 1e-3, `map ${channel}`);
    });
    await page.tab('ghost');
    await page.find('#path-ghost [role="grid"]').waitFor();
    await page.click('#engine summary');
    await page.click('[data-backend="wasm"]');
    await page.find('#engine-badge', { hasText: /^WASM/ }).waitFor();
    await page.addressSays('backend', 'wasm');
  }));

test('on WebGPU the card draws the camera’s maps', () =>
  withWebgpu(async (gpu) => {
    await open('stage=layer3&backend=webgpu', {}, { from: gpu });
    await page.click('#camera');
    await page.find('#frame-rate', { hasText: /pictures a second/ }).waitFor();
    await page.find('#last[data-drawn-by="webgpu"]').waitFor();
    const colours = await page.find('#last canvas.maps').evaluate((canvas) => {
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
      copy.drawImage(canvas, 0, 0);
      return new Set(new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
    });
    assert.ok(colours > 50, `the graphics card drew ${colours} colours`);
    await page.click('#camera');
    await page.caption('Chelsea');
  }));
