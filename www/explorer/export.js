/** @file What can be taken away: a view as a picture, the numbers as CSV and JSON. */
import { text } from '../view/language.js';
import { numbersOf } from './numbers.js';
import { rowsOf } from './panel.js';

export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const number = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(9))) : '');

/** One line a map of the second side. */
export function exportCsv(state) {
  const lines = rowsOf(state).map(({ channel, match, score, chance, shuffled, energy }) =>
    [channel, match < 0 ? '' : match, match < 0 ? '' : number(score), number(chance), number(shuffled), number(energy)].join(','),
  );
  return ['channel,match,score,chance_other_picture,chance_shuffled_positions,energy', ...lines, ''].join('\r\n');
}

export function exportJson(state) {
  const { info, maps, metric, threshold, picture, result } = state;
  const rows = rowsOf(state).map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number.isFinite(value) ? value : null])));
  const document = {
    model: info.variant,
    picture: picture.name,
    backend: result.backend,
    top: result.top,
    taps: maps.taps,
    dims: { first: maps.first.dims, last: maps.last.dims },
    metric,
    threshold,
    maps: rows,
    ...(state.alone?.maps === maps && { measures: numbersOf(state.alone, threshold) }),
    ...(state.study?.own && { set: { name: state.study.name, pictures: state.study.own.images, taps: state.study.taps, measures: numbersOf(state.study, threshold) } }),
  };
  return JSON.stringify(document, null, 2);
}

/** The pictures of the view that is open, side by side on the page's ground, under the sentence that goes with them. */
export async function exportPng(panel) {
  const pictures = canvasesOf(panel.renderRoot.querySelector('#panel'));
  const style = getComputedStyle(panel);
  const scale = devicePixelRatio;
  const [edge, gap, line] = [24 * scale, 32 * scale, 26 * scale];
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(640 * scale, pictures.reduce((sum, { width }) => sum + width + gap, 0) + 2 * edge - gap);
  canvas.height = Math.max(0, ...pictures.map(({ height }) => height)) + 2 * edge + 2 * line;
  const context = canvas.getContext('2d');
  context.fillStyle = style.getPropertyValue('--surface');
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.getPropertyValue('--text');
  context.font = `${15 * scale}px system-ui, sans-serif`;
  context.fillText(panel.renderRoot.querySelector('#headline').textContent.replaceAll(/\s+/g, ' ').trim(), edge, edge + line / 2, canvas.width - 2 * edge);
  let x = edge;
  for (const picture of pictures) {
    context.drawImage(picture, x, edge + line);
    x += picture.width + gap;
  }
  context.fillStyle = style.getPropertyValue('--muted');
  context.font = `${12 * scale}px system-ui, sans-serif`;
  context.fillText(text('exportFoot'), edge, canvas.height - edge / 2);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

/** The large canvases below a node, through shadow roots. */
function canvasesOf(node) {
  const found = [];
  for (const child of node.querySelectorAll('*')) {
    if (child instanceof HTMLCanvasElement && child.width >= 200 && child.height >= 100) found.push(child);
    if (child.shadowRoot) found.push(...canvasesOf(child.shadowRoot));
  }
  return found;
}
