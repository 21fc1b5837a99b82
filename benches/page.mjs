// The page's own speed in headless Chromium: until it answers, and from a pointer's move to the next frame.
//   node benches/page.mjs   after ./build.sh site
// The maps are those of variant 032 with made-up weights: stage 4 has 1,008 of them on either side.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkpoint } from '../tests/web/support/pth.mjs';
import { launch } from '../tools/browser.mjs';
import { repository, servePage } from '../tools/serve.mjs';

const MOVES = 200;
const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))];
const milliseconds = (value) => `${value.toFixed(1)} ms`;

const folder = await mkdtemp(path.join(tmpdir(), 'page-bench-'));
const server = await servePage();
const browser = await launch({ args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(() => {
    globalThis.shifts = [];
    new PerformanceObserver((list) => globalThis.shifts.push(...list.getEntries())).observe({ type: 'layout-shift', buffered: true });
    new MutationObserver(() => (globalThis.answered ??= document.querySelector('.top li') && performance.now())).observe(document, { subtree: true, childList: true });
    new MutationObserver(() => (globalThis.explored ??= document.querySelector('gg-panel') && performance.now())).observe(document, { subtree: true, childList: true });
  });
  await page.goto(server.url);
  await page.locator('#stage-note', { hasText: 'By chance' }).waitFor();
  const marks = await page.evaluate(() => ({
    painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
    loaded: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
    answered: globalThis.answered,
    explored: globalThis.explored,
    shift: globalThis.shifts.reduce((sum, { value, hadRecentInput }) => sum + (hadRecentInput ? 0 : value), 0),
  }));
  console.log(`first paint ${milliseconds(marks.painted)}, scripts run ${milliseconds(marks.loaded)}, answered ${milliseconds(marks.answered)}, explorer ${milliseconds(marks.explored)}`);
  console.log(`layout shift until all is there: ${marks.shift.toFixed(4)} (up to 0.1 counts as good)`);

  const keys = JSON.parse(await readFile(path.join(repository, 'tests/golden/keys/g_ghost_regnetx_032.json'), 'utf8'));
  const file = path.join(folder, 'made_up_032.pth');
  await writeFile(file, checkpoint(keys));
  await page.setInputFiles('#file', file);
  await page.locator('#strip', { hasText: '1008 maps' }).waitFor({ timeout: 120_000 });
  await page.click('#strip button[data-stage="layer4"]');
  await page.locator('#headline', { hasText: 'of 1008' }).waitFor({ timeout: 60_000 });
  await page.waitForTimeout(2000);

  // From the event to the end of the work that it caused; painting comes on top and is the browser's.
  const times = await page.evaluate(async (moves) => {
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
      canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: left + (x + 0.5) * cell, clientY: top + (y + 0.5) * cell, bubbles: true, composed: true, pointerType: 'mouse' }));
      for (const view of [panel, twins, twins.renderRoot.querySelector('#first'), grid, pair]) await view.updateComplete;
      document.body.offsetHeight; // the layout that the frame needs
      times.push(performance.now() - start);
      if (grid.lit !== grid.order[place]) throw new Error(`map ${grid.lit} is lit`);
      await new Promise(requestAnimationFrame);
    }
    return times;
  }, MOVES);
  console.log(`pointer to a lit twin at 1,008 channels: median ${milliseconds(quantile(times, 0.5))}, 95 % ${milliseconds(quantile(times, 0.95))}, worst ${milliseconds(quantile(times, 1))} of ${MOVES} moves (a frame has 16.7 ms)`);

  await page.reload();
  await page.locator('#headline').waitFor();
  await page.click('#camera');
  await page.waitForTimeout(6000);
  console.log(`camera with the bundled model, every picture's maps drawn: ${await page.textContent('#frame-rate')}`);
} finally {
  await browser.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
}
