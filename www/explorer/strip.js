/** @file The network as a row of stages: height is channels, width is blocks. The selected one opens below. */
import { byId, element, onChange } from '../view/dom.js';
import { text } from '../view/language.js';

/**
 * @typedef {import('./state.js').StageInfo} StageInfo
 * @typedef {import('./explorer.js').PageState} PageState
 */

const svgNamespace = 'http://www.w3.org/2000/svg';
const BLOCK = 9;
const GAP = 2;
const HEIGHT = 32;

/** @param {(stage: string) => void} selectStage @returns {(state: PageState) => void} */
export function stripView(selectStage) {
  const strip = byId('strip');
  strip.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const buttons = [...strip.querySelectorAll('button')];
    const next = buttons[buttons.findIndex((button) => button === document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  });

  const draw = onChange(
    (/** @type {PageState} */ { info, language }) => [info, language],
    ({ info }) => {
      if (!info) return;
      const widest = Math.max(...info.stages.map(({ width }) => width));
      const column = (/** @type {string} */ name, /** @type {string} */ detail) =>
        element('div', { className: 'end' }, element('b', {}, name), element('span', {}, detail));
      strip.replaceChildren(
        column(text('picture'), `${info.input.side} × ${info.input.side}`),
        column(text('stem'), text('stageMaps', { width: info.stem.width, size: info.stem.size.join(' × ') })),
        ...info.stages.map((stage, i) => stageButton(stage, i + 1, widest, selectStage)),
        column(text('head'), text('classes', { n: info.labels.length })),
      );
    },
  );
  const mark = onChange(
    (/** @type {PageState} */ { info, stage, language }) => [info, stage, language],
    ({ stage }) => {
      for (const button of strip.querySelectorAll('button')) {
        const selected = button.dataset.stage === stage;
        button.setAttribute('aria-pressed', String(selected));
      }
    },
  );
  return (state) => {
    draw(state);
    mark(state);
  };
}

/**
 * @param {StageInfo} stage
 * @param {number} number
 * @param {number} widest
 * @param {(stage: string) => void} selectStage
 */
function stageButton(stage, number, widest, selectStage) {
  const { depth, width, raw, cheap, kind, size } = stage;
  const made = cheap ? text('ghosts', { raw, n: cheap }) : `${width}, ${text('plain')}`;
  const button = element(
    'button',
    {
      type: 'button',
      title: `${text('blocks', { n: depth })}, ${text('stageMaps', { width, size: size.join(' × ') })}`,
    },
    drawing(stage, widest),
    element('b', {}, text('stageName', { number })),
    element('span', { className: kind }, depth === 1 ? `${width}, ${text('oneBlock')}` : made),
  );
  button.dataset.stage = stage.name;
  button.addEventListener('click', () => selectStage(stage.name));
  return button;
}

/**
 * Blocks as bars standing on one line: block 1, the inner blocks with the ghosts they are spared, block n.
 * @param {StageInfo} stage
 * @param {number} widest
 */
function drawing({ depth, width, raw, kind }, widest) {
  const drawn = document.createElementNS(svgNamespace, 'svg');
  const total = depth * (BLOCK + GAP) - GAP;
  // Between linear and square root: the narrowest stage stays visible.
  const full = HEIGHT * (width / widest) ** 0.75;
  drawn.setAttribute('viewBox', `0 0 ${total} ${HEIGHT}`);
  drawn.setAttribute('width', String(total));
  drawn.setAttribute('height', String(HEIGHT));
  drawn.setAttribute('aria-hidden', 'true');
  /** @param {number} block @param {number} height @param {number} top @param {string} role */
  const bar = (block, height, top, role) => {
    const rect = document.createElementNS(svgNamespace, 'rect');
    const place = { x: block * (BLOCK + GAP), y: top, width: BLOCK, height, rx: 1, class: role };
    for (const [name, value] of Object.entries(place)) rect.setAttribute(name, String(value));
    drawn.append(rect);
  };
  for (let block = 0; block < depth; block++) {
    const role = block === 0 ? 'first' : block === depth - 1 ? 'last' : 'inner';
    const top = HEIGHT - full;
    if (role === 'inner' && kind === 'ghost') {
      const height = full * (raw / width);
      bar(block, height, HEIGHT - height, role);
      bar(block, full - height - 2, top, 'ghost');
    } else bar(block, full, top, role);
  }
  return drawn;
}
