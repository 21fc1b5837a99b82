/** @file The five most probable classes, and how far to trust them. */
import { byId, element, onChange } from './dom.js';

/** Below this the page calls itself unsure: above it 97 of 100 validation pictures are right, below it 68. */
const SURE = 0.75;

const percent = (probability) => `${(100 * probability).toFixed(1)} %`;

export function answerView() {
  const list = byId('top');
  return onChange(
    ({ result, picture, info, loadError }) => [result, picture, info, loadError],
    ({ result, picture, info, loadError, bundled }) => {
      byId('answer').classList.toggle('empty', !result);
      if (loadError) {
        byId('verdict').textContent = '';
        return;
      }
      if (!result) {
        byId('verdict').textContent = info ? 'Looking …' : 'Loading the model …';
        return;
      }
      const { sure, verdict, note } = judge(result.top, picture, info.labels, bundled);
      byId('answer').classList.toggle('unsure', !sure);
      byId('verdict').textContent = verdict;
      byId('answer-note').textContent = note;
      fill(list, result.top);
    },
  );
}

function judge([best], picture, labels, bundled) {
  const some = labels.slice(0, 12).join(', ') + (labels.length > 12 ? ' and so on' : '');
  const known = `The ${labels.length} things this model knows: ${some}.`;
  if (bundled && picture.sample && !labels.includes(picture.sample.label)) {
    return {
      sure: false,
      verdict: best.probability < SURE ? 'Unsure, and rightly so' : `“${best.label}”, and wrong`,
      note: `This sample shows none of what the model knows, so every answer is wrong. ${known}`,
    };
  }
  if (best.probability < SURE) {
    return { sure: false, verdict: `Unsure: perhaps “${best.label}”`, note: `It may be none of them. ${known}` };
  }
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
