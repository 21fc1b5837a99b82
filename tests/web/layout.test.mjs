// How the page lies in windows of every size: nothing is cut off or lies over something else, and the maps are in view.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { explorerPages, open } from './support/explorer.mjs';

explorerPages();

/** What a window shows of the page's own parts, in the page: through shadow roots. */
function measured() {
  const all = (root) =>
    [...root.querySelectorAll('*')].flatMap((one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
  const seen = (one) => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0;
  const isHidden = (one) => one.closest?.('.hidden, .skip') || getComputedStyle(one).clipPath !== 'none';
  const elements = all(document.body).filter((one) => seen(one) && !isHidden(one));
  const words = (one) =>
    [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  const clipped = elements.filter((one) => {
    const { overflowX, textOverflow } = getComputedStyle(one);
    const cut = overflowX !== 'visible' || textOverflow === 'ellipsis';
    return (
      words(one) &&
      one.tagName !== 'OPTION' &&
      (cut ? one.scrollWidth > one.clientWidth + 1 : one.getBoundingClientRect().right > innerWidth + 1)
    );
  });
  const controls = elements.filter((one) => one.matches('button, select, summary, input, a, label.button'));
  const scrolls = (one) => one.closest('.samples');
  const overlapping = [];
  controls.forEach((a, i) => {
    for (const b of controls.slice(i + 1)) {
      if (a.contains(b) || b.contains(a) || scrolls(a) || scrolls(b) || a.matches('#file') || b.matches('#file'))
        continue;
      // A link in a sentence is a box for each line.
      const over = [...a.getClientRects()].some((x) =>
        [...b.getClientRects()].some((y) => {
          const wide = Math.min(x.right, y.right) - Math.max(x.left, y.left);
          return wide > 1 && Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top) > 1;
        }),
      );
      if (over) overlapping.push(`${nameOf(a)} and ${nameOf(b)}`);
    }
  });
  function nameOf(one) {
    return `${one.tagName.toLowerCase()}#${one.id} “${(one.textContent || one.ariaLabel || '').trim().slice(0, 30)}”`;
  }
  return { wide: document.documentElement.scrollWidth, clipped: clipped.map(nameOf), overlapping };
}

/** The part of a grid that the window shows without scrolling, and how many rows that is. */
function visible(grid) {
  const { cell, rows, columns } = grid.layout;
  const { top, left, right } = grid.find('.maps').getBoundingClientRect();
  const shown = Math.floor((Math.min(innerHeight, top + rows * cell) - Math.max(0, top)) / cell + 0.01);
  return { rows: shown, all: shown >= rows && left >= 0 && right <= innerWidth && columns * cell > 0 };
}

test('at every width nothing is cut off, and no control lies over another', async () => {
  for (const language of ['en', 'zh']) {
    const page = await open(`language=${language}`);
    for (const width of [
      320, 360, 390, 480, 600, 640, 720, 799, 820, 900, 960, 1024, 1199, 1280, 1366, 1440, 1920, 2560,
    ]) {
      await page.raw.setViewportSize({ width, height: 800 });
      await page.still();
      const { wide, clipped, overlapping } = await page.evaluate(measured);
      const where = `${width} px, ${language}`;
      assert.ok(wide <= width, `${where}: the page is ${wide} wide`);
      assert.deepEqual(clipped, [], `${where}: cut off`);
      assert.deepEqual(overlapping, [], `${where}: overlapping`);
    }
    await page.context().close();
  }
});

for (const [width, height, least] of [
  [1920, 1080, 'all'],
  [1440, 900, 'all'],
  [1366, 678, 'all'],
  [1024, 678, 8],
  [820, 1180, 8],
]) {
  test(`in a window of ${width} x ${height}, ${least} of both grids' rows are in view, and nothing lies over them`, async () => {
    for (const stage of ['layer2', 'layer3']) {
      const page = await open(`stage=${stage}`, { viewport: { width, height } });
      for (const side of ['first', 'last']) {
        const { rows, all } = await page.find(`gg-grid#${side}`).evaluate(visible);
        assert.ok(least === 'all' ? all : all || rows >= least, `${stage}, ${side}: ${rows} rows`);
      }
      const covered = await page.find('gg-grid#last').evaluate((grid) => {
        const { left, right, top, bottom } = grid.find('.maps').getBoundingClientRect();
        const points = [
          [left + 4, top + 4],
          [right - 4, top + 4],
          [left + 4, Math.min(bottom, innerHeight) - 4],
        ];
        return points.filter(([x, y]) => document.elementFromPoint(x, y)?.tagName !== 'GG-PANEL').length;
      });
      assert.equal(covered, 0);
      await page.context().close();
    }
  });
}
