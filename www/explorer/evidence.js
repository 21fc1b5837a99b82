/** @file What speaks for an answer, drawn over the photograph: its class activation map. */
import { byId, element, onChange } from '../view/dom.js';
import { text } from '../view/language.js';

/**
 * @typedef {import('./explorer.js').PageState} PageState
 * @typedef {import('../lib/index.js').Evidence} Evidence
 * @typedef {import('../lib/index.js').Info} Info
 */

/** @param {{ update: (change: Partial<PageState>) => void }} actions @returns {(state: PageState) => void} */
export function evidenceView({ update }) {
  const canvas = /** @type {HTMLCanvasElement} */ (element('canvas', { className: 'evidence', hidden: true }));
  const image = byId('photo-image', HTMLImageElement);
  const note = element('p', { className: 'note', id: 'evidence-note' });
  byId('photo').append(canvas);
  byId('top').after(note);
  const list = byId('top');
  list.addEventListener('click', ({ target }) => {
    const button = target instanceof Element && target.closest('button');
    if (button) update({ class: list.dataset.asked === button.value ? '' : button.value });
  });

  /** @type {PageState | undefined} */
  let last;
  const place = () => {
    if (last?.info && !canvas.hidden) cover(canvas, image, last.info.input);
  };
  image.addEventListener('load', place);
  new ResizeObserver(place).observe(image);
  const draw = onChange(
    (/** @type {PageState} */ { answers, result, class: asked, language, picture }) => [
      ...[answers.evidence, result, asked, language, picture],
    ],
    (state) => {
      last = state;
      const { answers, info, class: asked, picture } = state;
      const evidence = asked === '' || picture?.live ? undefined : answers.evidence;
      list.dataset.asked = asked;
      for (const button of list.querySelectorAll('button')) {
        button.setAttribute('aria-pressed', String(button.value === asked));
        button.title = text('evidenceAsk', { label: button.querySelector('.label')?.textContent ?? '' });
      }
      canvas.hidden = !evidence;
      note.textContent = evidence ? wordsOf(evidence) : text('evidenceHint');
      if (!evidence || !info) return;
      paint(canvas, evidence);
      cover(canvas, image, info.input);
    },
  );
  return draw;
}

/** @param {Evidence} evidence */
function wordsOf({ label, map: { data } }) {
  const sum = (/** @type {(value: number) => boolean} */ which) =>
    data.filter(which).reduce((total, value) => total + value, 0);
  return text('evidenceNote', {
    label,
    up: sum((value) => value > 0).toFixed(1),
    down: Math.abs(sum((value) => value < 0)).toFixed(1),
  });
}

/** What speaks for a class, and against it. */
const FOR = [255, 120, 0];
const AGAINST = [40, 110, 255];
/** The strongest place is as opaque as this; weaker ones less than in proportion, or all would be covered. */
const OPAQUE = 210;
const CONTRAST = 2;

/** One pixel a position; the browser smooths between them. @param {HTMLCanvasElement} canvas @param {Evidence} evidence */
function paint(canvas, { map: { data, dims } }) {
  const [height, width] = dims;
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  const most = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  data.forEach((value, i) => {
    image.data.set(value > 0 ? FOR : AGAINST, 4 * i);
    image.data[4 * i + 3] = OPAQUE * (Math.abs(value) / most) ** CONTRAST;
  });
  canvas.getContext('2d')?.putImageData(image, 0, 0);
}

/**
 * Lays a canvas over the part of the photograph that the network sees.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image shown whole within its box
 * @param {Info['input']} rule
 */
function cover(canvas, image, rule) {
  const { clientWidth, clientHeight, naturalWidth, naturalHeight } = image;
  const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight) || 1;
  const [shownWidth, shownHeight] = [naturalWidth * scale, naturalHeight * scale];
  const share = rule.side / (rule.resizeSide ?? rule.side);
  const square = share * Math.min(shownWidth, shownHeight);
  const [width, height] = rule.resize === 'crop' ? [square, square] : [shownWidth, shownHeight];
  Object.assign(canvas.style, {
    left: `${(clientWidth - width) / 2}px`,
    top: `${(clientHeight - height) / 2}px`,
    width: `${width}px`,
    height: `${height}px`,
  });
}
