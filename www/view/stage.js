/** @file The opened stage: what block 1 saw beside what block n made, and a thread between twins. */
import { byId, element, onChange } from './dom.js';
import { drawMaps, layOut } from '../lib/draw.js';
import { countAbove } from './twins.js';

const sides = ['first', 'last'];
const other = { first: 'last', last: 'first' };

/** What is left of the window below the words, so that all maps are in view at once. */
function roomBelow(grids) {
  const top = grids.getBoundingClientRect().top + scrollY;
  const pair = byId('pair').offsetHeight + 64;
  return Math.min(720, Math.max(264, innerHeight - top - pair));
}

export function stageView({ point, setThreshold }) {
  const grids = byId('grids');
  const layouts = {};
  const slider = thresholdSlider(setThreshold);

  for (const side of sides) {
    const canvas = byId(side);
    const at = ({ clientX, clientY }) => {
      const { left, top } = canvas.getBoundingClientRect();
      const { cell, columns, count } = layouts[side] ?? {};
      if (!cell) return;
      const column = Math.min(columns - 1, Math.max(0, Math.floor((clientX - left) / cell)));
      const channel = Math.max(0, Math.floor((clientY - top) / cell)) * columns + column;
      if (channel < count) point({ side, channel });
    };
    canvas.addEventListener('pointermove', at);
    canvas.addEventListener('pointerdown', at);
    canvas.addEventListener('keydown', (event) => {
      const { columns, count } = layouts[side] ?? {};
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (!step) return;
      event.preventDefault();
      point((pointed) => ({ side, channel: Math.min(count - 1, Math.max(0, (pointed?.side === side ? pointed.channel : -step) + step)) }));
    });
  }

  const drawGrids = onChange(
    ({ maps, width }) => [maps, width],
    ({ maps, stages }) => {
      byId('stage').classList.toggle('waiting', !maps);
      if (!maps) return;
      const single = maps.first === maps.last;
      grids.classList.toggle('single', single);
      byId('pair').hidden = single;
      const height = innerWidth < 800 ? 400 : roomBelow(grids);
      for (const side of sides) {
        const canvas = byId(side);
        canvas.tabIndex = single ? -1 : 0;
        if (single && side === 'last') continue;
        const count = maps[side].dims[0];
        const block = side === 'first' ? 1 : stages.find(({ name }) => name === maps.stage).depth;
        canvas.setAttribute('aria-label', `The ${count} maps of block ${block}.${single ? '' : ' Arrow keys go from map to map.'}`);
        const room = canvas.closest('.cells').clientWidth;
        layouts[side] = { ...layOut(count, room, height), count };
        drawGrid(canvas, maps[side], layouts[side]);
      }
      const stage = stages.find(({ name }) => name === maps.stage);
      byId('first-caption').replaceChildren(element('b', {}, single ? 'Its one block' : 'Block 1'), single ? '' : ' saw this');
      byId('last-caption').replaceChildren(element('b', {}, `Block ${stage.depth}`), ' made this');
    },
  );

  const drawWords = onChange(
    ({ maps, threshold, byChance }) => [maps, threshold, byChance],
    ({ maps, threshold, byChance, stages }) => {
      if (!maps) return;
      const stage = stages.find(({ name }) => name === maps.stage);
      words(stage, stages.indexOf(stage) + 1, { maps, threshold, byChance }, slider);
    },
  );

  const drawPair = onChange(
    ({ maps, pointed, width }) => [maps, pointed, width],
    ({ maps, pointed }) => {
      if (!maps) return;
      const shown = pointed ?? bestPair(maps);
      const pair = shown && maps.first !== maps.last && pairOf(maps, shown);
      mark(pair, layouts, grids);
      if (pair) describe(pair, maps, pointed);
    },
  );

  return (state) => [drawWords, drawGrids, drawPair].forEach((draw) => draw(state));
}

/** Crisp at the screen's own pixels. */
function drawGrid(canvas, maps, { cell, columns, rows }) {
  const step = Math.round(cell * devicePixelRatio);
  const gap = Math.round(devicePixelRatio);
  drawMaps(canvas, maps, { cell: step - gap, gap, columns });
  Object.assign(canvas.style, { width: `${columns * cell}px`, height: `${rows * cell}px` });
}

function thresholdSlider(setThreshold) {
  const input = element('input', { type: 'range', min: '0.5', max: '0.95', step: '0.05', 'aria-label': 'How alike twins must be: the correlation |r|' });
  input.addEventListener('input', () => setThreshold(Number(input.value)));
  const output = element('output', {});
  return { input, whole: element('span', { className: 'threshold' }, '|r| > ', output, input), output };
}

function words({ depth, width, cheap, kind }, number, { maps, threshold, byChance }, slider) {
  const headline = byId('headline');
  const note = byId('stage-note');
  if (depth === 1) {
    headline.classList.remove('weak');
    headline.replaceChildren(`Stage ${number} is a single block: its first block is its last.`);
    note.textContent = `All ${width} maps are computed in full. Open stage 2, 3 or 4 to see twins.`;
    return;
  }
  const count = countAbove(maps.fromLast.r, threshold);
  slider.input.value = String(threshold);
  slider.output.value = threshold.toFixed(2);
  // The slider stays the same element, or it would lose the finger that moves it.
  if (!headline.contains(slider.whole)) headline.replaceChildren(element('span', {}), slider.whole, element('span', {}));
  headline.firstChild.replaceChildren(`In stage ${number}, `, element('b', {}, `${count} of ${width}`), ' maps of the last block have a near twin in block 1 (');
  headline.lastChild.replaceChildren(...(kind === 'ghost' ? ['). So this network makes ', element('b', { className: 'ghost' }, String(cheap)), ' of them cheaply.'] : [').']));

  const [, rows, columns] = maps.first.dims;
  const chance = byChance && countAbove(byChance.r, threshold);
  const few = rows * columns < 64;
  headline.classList.toggle('weak', few);
  note.textContent = [
    chance === undefined ? '' : `By chance, against block 1 of another picture: ${chance} of ${width}.`,
    few ? `With ${rows} × ${columns} positions and one picture, chance alone finds twins: read nothing into this stage.` : '',
    maps.dead === 1 ? 'One map is blank here and has no twin.' : maps.dead ? `${maps.dead} maps are blank here and have no twin.` : '',
  ].filter(Boolean).join(' ');
}

/** The closest twins that are not the same channel: what the page shows before anyone points. */
function bestPair({ fromLast: { r, twin } }) {
  let channel = -1;
  r.forEach((value, i) => {
    if (twin[i] >= 0 && twin[i] !== i && (channel < 0 || Math.abs(value) > Math.abs(r[channel]))) channel = i;
  });
  return channel < 0 ? undefined : { side: 'last', channel };
}

function pairOf(maps, { side, channel }) {
  const { twin, r } = side === 'last' ? maps.fromLast : maps.fromFirst;
  return { side, [side]: channel, [other[side]]: twin[channel], r: r[channel] };
}

/** Outlines on both maps, and the thread between them. */
function mark(pair, layouts, grids) {
  const lines = [...byId('thread').children]; // the lower one keeps the upper one apart from the maps
  const ends = [];
  for (const side of sides) {
    const cells = byId(side).closest('.cells');
    cells.querySelector('.outline')?.remove();
    const channel = pair?.[side] ?? -1;
    if (channel < 0) continue;
    const { cell, columns } = layouts[side];
    const x = (channel % columns) * cell;
    const y = Math.floor(channel / columns) * cell;
    const outline = element('i', { className: 'outline' });
    Object.assign(outline.style, { left: `${x}px`, top: `${y}px`, width: `${cell - 1}px`, height: `${cell - 1}px` });
    cells.append(outline);
    const origin = cells.getBoundingClientRect();
    const frame = grids.getBoundingClientRect();
    ends.push([origin.left - frame.left + x + (side === 'first' ? cell : 0), origin.top - frame.top + y + cell / 2]);
  }
  for (const line of lines) {
    line.style.display = ends.length === 2 ? '' : 'none';
    ends.forEach(([x, y], i) => {
      line.setAttribute(`x${i + 1}`, String(x));
      line.setAttribute(`y${i + 1}`, String(y));
    });
  }
}

function describe({ side, first, last, r }, maps, pointed) {
  const text = byId('pair-text');
  for (const [name, channel] of [['first', first], ['last', last]]) {
    const canvas = byId(`pair-${name}`);
    canvas.style.visibility = channel < 0 ? 'hidden' : '';
    if (channel >= 0) drawMaps(canvas, maps[name], { channels: [channel], cell: Math.round(canvas.clientWidth * devicePixelRatio) });
  }
  if (first < 0 || last < 0) {
    text.textContent = `Map ${side === 'first' ? first : last} is blank for this picture: it has no twin.`;
    return;
  }
  const inverted = r < 0 ? ' One is the negative of the other.' : '';
  const intro = pointed ? '' : 'The closest pair. ';
  const parts = [element('b', { className: 'first' }, `Block 1, map ${first}`), ' and ', element('b', { className: 'last' }, `map ${last} of the last block`)];
  text.replaceChildren(intro, ...parts, `: r = ${r.toFixed(2).replace('-', '−')}.${inverted}`);
}
