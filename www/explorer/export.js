/** @file What can be taken away: a view as a picture, the numbers as CSV and JSON. */
import { text } from '../view/language.js';
import { rowsOf } from './stage.js';

/** @typedef {import('./stage.js').Opened} Opened */

/** @param {string} name @param {Blob | string} content @param {string} type */
export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @param {number} value */
const number = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(9))) : '');

/** One line a map of the second side. @param {Opened} state */
export function exportCsv(state) {
  const lines = rowsOf(state).map(({ channel, match, score, chance, shuffled, energy }) => {
    const twin = match < 0 ? ['', ''] : [match, number(score)];
    return [channel, ...twin, number(chance), number(shuffled), number(energy)].join(',');
  });
  return ['channel,match,score,chance_other_picture,chance_shuffled_positions,energy', ...lines, ''].join('\r\n');
}

/**
 * What an exported number or picture is of.
 * @param {Opened} state
 * @param {import('./state.js').Net} net
 */
export async function provenanceOf({ info, maps, metric, threshold, picture, samples, result }, net) {
  const control = samples.find((one) => one !== picture?.sample);
  return {
    model: { variant: info.variant, classes: info.labels.length, precision: info.precision, sha256: await hashOf(net) },
    picture: picture?.name,
    control: picture?.live ? undefined : control?.file,
    side: { answer: info.input.side, maps: maps.side ?? info.input.side },
    backend: result?.backend,
    stage: maps.stage,
    taps: maps.taps,
    metric,
    threshold,
    address: location.href,
  };
}

/** Of the model's file; undefined where the browser computes none. @param {import('./state.js').Net} net */
async function hashOf({ model }) {
  if (!(model instanceof Blob) || !crypto.subtle) return undefined;
  const digest = await crypto.subtle.digest('SHA-256', await model.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {Opened} state
 * @param {object} provenance
 * @param {object} [shown] what the view that is open has besides
 */
export function exportJson(state, provenance, shown) {
  const { maps, result } = state;
  /** @param {Record<string, number>} row */
  const finite = (row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number.isFinite(value) ? value : null]));
  const document = {
    ...provenance,
    top: result?.top,
    dims: { first: maps.first.dims, last: maps.last.dims },
    // A blank map has no twin.
    maps: rowsOf(state).map(({ match, score, ...row }) =>
      match < 0 ? { ...finite(row), match: null, score: null } : { ...finite(row), match, score },
    ),
    ...shown,
  };
  return JSON.stringify(document, null, 2);
}

const FONT = 'system-ui, sans-serif';

/**
 * The pictures of the view that is open, side by side on the page's ground, under the sentence that goes with them.
 * @param {import('./panel.js').Panel} panel
 * @param {Awaited<ReturnType<typeof provenanceOf>>} provenance
 * @returns {Promise<Blob>}
 */
export async function exportPng(panel, provenance) {
  const pictures = canvasesOf(panel.find('#panel'));
  const style = getComputedStyle(panel);
  const scale = devicePixelRatio;
  const [edge, gap, line] = [24 * scale, 32 * scale, 26 * scale];
  const canvas = document.createElement('canvas');
  const width = pictures.reduce((sum, picture) => sum + picture.width + gap, 0) + 2 * edge - gap;
  canvas.width = Math.max(640 * scale, width);
  canvas.height = Math.max(0, ...pictures.map(({ height }) => height)) + 2 * edge + 2 * line;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.fillStyle = style.getPropertyValue('--surface');
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.getPropertyValue('--text');
  context.font = `${15 * scale}px ${FONT}`;
  const sentence = panel.find('#headline').textContent.replaceAll(/\s+/g, ' ').trim();
  context.fillText(sentence, edge, edge + line / 2, canvas.width - 2 * edge);
  let x = edge;
  for (const picture of pictures) {
    context.drawImage(picture, x, edge + line);
    x += picture.width + gap;
  }
  context.fillStyle = style.getPropertyValue('--muted');
  context.font = `${12 * scale}px ${FONT}`;
  context.fillText(footOf(provenance), edge, canvas.height - edge / 2, canvas.width - 2 * edge);
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? new Blob()), 'image/png'));
}

/** @param {Awaited<ReturnType<typeof provenanceOf>>} provenance */
function footOf({ model: { variant, sha256 = '' }, picture, side, taps }) {
  const parts = [text('exportFoot'), variant, sha256.slice(0, 12), picture, taps.join(' | '), `${side.maps} px`];
  return parts.filter(Boolean).join(' · ');
}

/** The large canvases below a node, through shadow roots. @param {ParentNode} node @returns {HTMLCanvasElement[]} */
function canvasesOf(node) {
  return [...node.querySelectorAll('*')].flatMap((child) => {
    const large = child instanceof HTMLCanvasElement && child.width >= 200 && child.height >= 100;
    return [...(large ? [child] : []), ...(child.shadowRoot ? canvasesOf(child.shadowRoot) : [])];
  });
}
