/** @file The five most probable classes, and how far to trust them. */
import { byId, element, onChange } from './dom.js';
import { text } from './language.js';

/** Below this the page says "perhaps": probabilities are calibrated, so the answer is wrong every other time. */
const SURE = 0.5;

/**
 * @typedef {import('../explorer/explorer.js').PageState} PageState
 * @typedef {import('../lib/index.js').Prediction} Prediction
 */

/** @param {number} probability */
const percent = (probability) => `${(100 * probability).toFixed(1)} %`;

/** @returns {(state: PageState) => void} */
export function answerView() {
  const list = byId('top');
  return onChange(
    (/** @type {PageState} */ now) => [now.result, now.picture, now.info, now.loadError, now.language],
    ({ result, picture, info, loadError, file }) => {
      byId('answer').classList.toggle('empty', !result);
      if (loadError) {
        byId('verdict').textContent = '';
        return;
      }
      if (!result || !picture || !info) {
        byId('verdict').textContent = text(info ? 'looking' : 'loadingModel');
        return;
      }
      const { sure, verdict, note } = judge(result, picture, { labels: info.labels, own: Boolean(file) });
      byId('answer').classList.toggle('unsure', !sure);
      byId('verdict').textContent = verdict;
      byId('answer-note').textContent = note;
      fill(list, result.top);
    },
  );
}

/**
 * @param {import('../lib/index.js').Classification} result
 * @param {import('../explorer/state.js').Picture} picture
 * @param {{ labels: string[], own: boolean }} model `own`: the visitor's, of whose words nothing is known
 */
function judge({ top: [best], unsure }, picture, { labels, own }) {
  const some = labels.slice(0, 12).join(', ') + (labels.length > 12 ? ' …' : '');
  const known = text('known', { n: labels.length, labels: some });
  // The samples were chosen for models of few classes, which cannot know most of them.
  if (
    labels.length < 100 &&
    !own &&
    picture.sample &&
    !picture.sample.labels?.some((label) => labels.includes(label))
  ) {
    const verdict = (unsure ?? best.probability < SURE) ? text('unsureRightly') : text('wrong', { label: best.label });
    return { sure: false, verdict, note: text('sampleUnknown', { known }) };
  }
  if (unsure) return { sure: false, verdict: text('stranger'), note: text('nearest', { label: best.label, known }) };
  if (best.probability < SURE) {
    return { sure: false, verdict: text('unsure', { label: best.label }), note: text('maybeNone', { known }) };
  }
  return { sure: true, verdict: capital(best.label), note: '' };
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Keeps the rows, so that bars move instead of blinking. @param {HTMLElement} list @param {Prediction[]} top */
function fill(list, top) {
  while (list.children.length < top.length) {
    const bar = element('i', { className: 'track' }, element('i', { className: 'fill' }));
    const [label, number] = [element('span', { className: 'label' }), element('data', { className: 'percent' })];
    list.append(element('li', {}, element('button', { type: 'button' }, label, number, bar)));
  }
  while (list.children.length > top.length) list.lastChild?.remove();
  top.forEach(({ label, index, probability }, i) => {
    const button = /** @type {HTMLButtonElement} */ (list.children[i].firstChild);
    const [name, number, track] = button.children;
    button.value = String(index);
    name.textContent = label;
    Object.assign(number, { value: probability.toFixed(6), textContent: percent(probability) });
    /** @type {HTMLElement} */ (track.firstChild).style.width = `${100 * probability}%`;
  });
}
