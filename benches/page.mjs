// The page's own speed in headless Chromium.
//   node benches/page.mjs [load] [hover] [camera]   after ./build.sh site; all three by default
// load: until it answers and until everything can be used. hover: from a pointer's move to the next frame, over the
// last stage of variant 032 (1,008 maps on either side) and of a network of 1,920, both with made-up weights. camera:
// pictures a second with the bundled model, every map drawn and compared.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { checkpoint } from '../tests/web/support/pth.mjs';
import { launch } from '../tools/browser.mjs';
import { repository, servePage } from '../tools/serve.mjs';

const LOADS = 5;
const MOVES = 200;
const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))];
const milliseconds = (value) => `${value.toFixed(1)} ms`;
const asked = process.argv.slice(2);
const parts = { load, hover, camera };
const unknown = asked.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length)
  throw new Error(`there is no part ${unknown.join(', ')}: expected some of ${Object.keys(parts).join(', ')}`);

const folder = await mkdtemp(path.join(tmpdir(), 'page-bench-'));
const server = await servePage();
const browser = await launch({ args: ['--use-fake-device-for-media-stream=fps=60', '--use-fake-ui-for-media-stream'] });
try {
  for (const [name, measure] of Object.entries(parts)) if (!asked.length || asked.includes(name)) await measure();
} finally {
  await browser.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
}

/** A page of a visitor who was never here. */
async function visit() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' });
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.shifts = [];
    new PerformanceObserver((list) => globalThis.shifts.push(...list.getEntries())).observe({
      type: 'layout-shift',
      buffered: true,
    });
    new MutationObserver(
      () => (globalThis.answered ??= document.querySelector('.top li') && performance.now()),
    ).observe(document, { subtree: true, childList: true });
    new MutationObserver(
      () => (globalThis.explored ??= document.querySelector('gg-panel') && performance.now()),
    ).observe(document, { subtree: true, childList: true });
  });
  await page.goto(server.url);
  await page.locator('#stage-note', { hasText: 'By chance' }).waitFor();
  return page;
}

async function load() {
  const runs = [];
  for (let run = 0; run < LOADS; run++) {
    const page = await visit();
    runs.push(
      await page.evaluate(() => ({
        painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
        loaded: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
        answered: globalThis.answered,
        explored: globalThis.explored,
        shift: globalThis.shifts.reduce((sum, { value, hadRecentInput }) => sum + (hadRecentInput ? 0 : value), 0),
      })),
    );
    await page.context().close();
  }
  const middle = (name) =>
    quantile(
      runs.map((run) => run[name]),
      0.5,
    );
  console.log(
    `load, the middle of ${LOADS}: first paint ${milliseconds(middle('painted'))}, scripts run ${milliseconds(middle('loaded'))}, answered ${milliseconds(middle('answered'))}, all of it can be used ${milliseconds(middle('explored'))}`,
  );
  console.log(
    `layout shift until all is there: ${Math.max(...runs.map(({ shift }) => shift)).toFixed(4)} at most (up to 0.1 counts as good)`,
  );
}

/** Names and shapes of a plain RegNetX of 1,920 maps in its last stage. */
function wideKeys() {
  const [depths, widths, group] = [[1, 1, 1, 2], [40, 80, 120, 1920], 40];
  const keys = [];
  const norm = (name, width) =>
    keys.push(...['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.${part}`, [width]]), [
      `${name}.num_batches_tracked`,
      [],
    ]);
  const conv = (name, bn, shape) => (keys.push([`${name}.weight`, shape]), norm(bn, shape[0]));
  conv('conv1', 'bn1', [32, 3, 3, 3]);
  let width = 32;
  widths.forEach((wide, stage) => {
    for (let block = 0; block < depths[stage]; block++) {
      const at = `layer${stage + 1}.${block}`;
      conv(`${at}.conv1`, `${at}.bn1`, [wide, width, 1, 1]);
      conv(`${at}.conv2`, `${at}.bn2`, [wide, group, 3, 3]);
      conv(`${at}.conv3`, `${at}.bn3`, [wide, wide, 1, 1]);
      if (block === 0) conv(`${at}.downsample.0`, `${at}.downsample.1`, [wide, width, 1, 1]);
      width = wide;
    }
  });
  return [...keys, ['fc.weight', [10, width]], ['fc.bias', [10]]];
}

async function hover() {
  const published = JSON.parse(
    await readFile(path.join(repository, 'tests/golden/keys/g_ghost_regnetx_032.json'), 'utf8'),
  );
  for (const [count, keys] of [
    [1008, published],
    [1920, wideKeys()],
  ]) {
    const page = await visit();
    const file = path.join(folder, `made_up_${count}.pth`);
    await writeFile(file, checkpoint(keys));
    await page.setInputFiles('#file', file);
    await page.locator('#strip', { hasText: `${count} maps` }).waitFor({ timeout: 120_000 });
    await page.click('#strip button[data-stage="layer4"]');
    await page.locator('#headline', { hasText: `of ${count}` }).waitFor({ timeout: 60_000 });
    await page.locator('#stage-note', { hasText: 'By chance' }).waitFor({ timeout: 60_000 });
    await page.waitForTimeout(500);
    const times = await page.evaluate(moved, MOVES);
    console.log(
      `pointer to a lit twin at ${count.toLocaleString('en')} maps: median ${milliseconds(quantile(times, 0.5))}, 95 % ${milliseconds(quantile(times, 0.95))}, worst ${milliseconds(quantile(times, 1))} of ${MOVES} moves (a frame has 16.7 ms)`,
    );
    await page.context().close();
  }
}

/** From the event to the end of the work that it caused; painting comes on top and is the browser's. */
async function moved(moves) {
  const panel = document.querySelector('gg-panel');
  const twins = panel.renderRoot.querySelector('gg-twins');
  const grid = twins.renderRoot.querySelector('#last');
  const pair = panel.renderRoot.querySelector('gg-pair');
  const canvas = grid.renderRoot.querySelector('canvas.maps');
  const { cell, columns } = grid.layout;
  const times = [];
  for (let i = 0; i < moves; i++) {
    const place = (i * 7) % grid.order.length;
    const [x, y] = [place % columns, Math.floor(place / columns)];
    const { left, top } = canvas.getBoundingClientRect(); // the pane scrolls
    const start = performance.now();
    canvas.dispatchEvent(
      new PointerEvent('pointermove', {
        clientX: left + (x + 0.5) * cell,
        clientY: top + (y + 0.5) * cell,
        bubbles: true,
        composed: true,
        pointerType: 'mouse',
      }),
    );
    for (const view of [panel, twins, twins.renderRoot.querySelector('#first'), grid, pair]) await view.updateComplete;
    document.body.offsetHeight; // the layout that the frame needs
    times.push(performance.now() - start);
    if (grid.lit !== grid.order[place]) throw new Error(`map ${grid.lit} is lit`);
    await new Promise(requestAnimationFrame);
  }
  return times;
}

async function camera() {
  const page = await visit();
  await page.click('#camera');
  await page.waitForTimeout(6000);
  console.log(
    `camera with the bundled model, every picture's maps drawn and compared: ${await page.textContent('#frame-rate')}`,
  );
  await page.context().close();
}
