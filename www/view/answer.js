/** @file The five most probable classes, and how far to trust them. */
import { byId, element, onChange } from './dom.js';
import { text } from './language.js';

/** Below this the page calls itself unsure: above it 97 of 100 validation pictures are right, below it 68. */
const SURE = 0.75;

const percent = (probability) => `${(100 * probability).toFixed(1)} %`;

export function answerView() {
  const list = byId('top');
  return onChange(
    ({ result, picture, info, loadError, language }) => [result, picture, info, loadError, language],
    ({ result, picture, info, loadError }) => {
      byId('answer').classList.toggle('empty', !result);
      if (loadError) {
        byId('verdict').textContent = '';
        return;
      }
      if (!result) {
        byId('verdict').textContent = text(info ? 'looking' : 'loadingModel');
        return;
      }
      const { sure, verdict, note } = judge(result.top, picture, info.labels);
      byId('answer').classList.toggle('unsure', !sure);
      byId('verdict').textContent = verdict;
      byId('answer-note').textContent = note;
      fill(list, result.top);
    },
  );
}

function judge([best], picture, labels) {
  const known = text('known', { n: labels.length, labels: labels.slice(0, 12).join(', ') + (labels.length > 12 ? ' …' : '') });
  // The samples were chosen for models of few classes, which cannot know most of them.
  if (labels.length < 100 && picture.sample && !labels.includes(picture.sample.label)) {
    const verdict = best.probability < SURE ? text('unsureRightly') : text('wrong', { label: best.label });
    return { sure: false, verdict, note: text('sampleUnknown', { known }) };
  }
  if (best.probability < SURE) return { sure: false, verdict: text('unsure', { label: best.label }), note: text('maybeNone', { known }) };
  return { sure: true, verdict: capital(best.label), note: '' };
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Keeps the rows, so that bars move instead of blinking. */
function fill(list, top) {
  while (list.children.length < top.length) {
    list.append(element('li', {}, element('span', { className: 'label' }), element('data', { className: 'percent' }), element('i', { className: 'track' }, element('i', { className: 'fill' }))));
  }
  while (list.children.length > top.length) list.lastChild.remove();
  top.forEach(({ label, probability }, i) => {
    const row = list.children[i];
    row.querySelector('.label').textContent = label;
    const number = row.querySelector('.percent');
    number.value = probability.toFixed(6);
    number.textContent = percent(probability);
    row.querySelector('.fill').style.width = `${100 * probability}%`;
  });
}
