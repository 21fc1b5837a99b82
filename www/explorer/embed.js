/** @file The opened stage below an element of another page, with a state of its own. */
import colours from '../colours.css';
import { openSimilarity } from '../lib/index.js';
import { defaults } from '../view/address.js';
import { comparedTaps } from '../view/input.js';
import { learn } from '../view/language.js';
import { stageActions } from './actions.js';
import { effects } from './effects.js';
import './panel.js';

/** The page's colours of one theme; scripts read them as they are written. */
const coloursOf = (which) => colours.match(/\{([^]*)\}/)[1].replaceAll(/light-dark\((.+?), (.+?)\)/g, which);

const style = `
  :host { display: block; }
  :host([hidden]) { display: none; }
  div { ${coloursOf('$1')} color-scheme: light; background: var(--surface); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
  div.dark { ${coloursOf('$2')} color-scheme: dark; }
`;

/**
 * @param {HTMLElement} host without a shadow root, or with that of an earlier call
 * @param {string} [only] the one view that is shown
 */
export function embed(host, only) {
  const closing = new AbortController();
  const metrics = openSimilarity();
  metrics.catch(fail);
  const night = matchMedia('(prefers-color-scheme: dark)');
  const state = { ...defaults, tab: only ?? defaults.tab, samples: [], stages: [], width: innerWidth };
  const page = { state, update, metrics, net: () => state.net, closing: closing.signal };
  const actions = {
    update,
    ...stageActions(page),
    compare: (compare) => {
      update({ pin: '' });
      look({ compare }).catch(fail);
    },
  };
  const panel = Object.assign(document.createElement('gg-panel'), { actions, net: page.net, only });
  panel.classList.add('embedded');
  const frame = document.createElement('div');
  frame.setAttribute('part', 'frame');
  frame.append(panel);
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren(frame);
  const start = effects(page);

  function fail(detail) {
    if (!closing.signal.aborted) host.dispatchEvent(new CustomEvent('failure', { detail }));
  }

  function update({ error, ...change }) {
    if (closing.signal.aborted) return;
    Object.assign(state, change);
    if (error) fail(new Error(error));
    frame.classList.toggle('dark', state.theme === 'dark');
    panel.show(state);
    start(state);
    if (change.pointed) panel.updateComplete.then(() => panel.pair && host.dispatchEvent(new CustomEvent('point', { detail: { first: panel.pair.first, last: panel.pair.last, r: panel.pair.r } })));
  }

  let current;
  /** Asks the net for the compared maps of the picture. */
  async function look(change = {}) {
    current?.abort();
    const { signal } = (current = new AbortController());
    Object.assign(state, change);
    const { net, input, stage } = state;
    if (!net || input === undefined) return;
    const taps = comparedTaps(state);
    const { maps, ...result } = await net.features(input, { taps: [...new Set(taps)], signal }).catch((error) => {
      if (error.code === 'aborted') return {};
      throw error;
    });
    if (maps) update({ picture: { blob: input }, result, maps: { stage, taps, first: maps[taps[0]], last: maps[taps[1]] } });
  }

  let chosen = {};
  /** What the element says: properties, and attributes that are set. */
  async function show({ net, picture, others = [] }, attributes) {
    const { view, stage, threshold, language, theme, ...rest } = attributes;
    if (language !== chosen.language || chosen.language === undefined) state.language = await learn(language ?? (document.documentElement.lang || 'en').slice(0, 2), true);
    // What a visitor has chosen since stays, unless the attribute says something new.
    const fresh = Object.fromEntries(Object.entries(rest).filter(([name, value]) => chosen[name] !== value));
    const info = net?.info;
    const before = { net: state.net, input: state.input, stage: state.stage, compare: state.compare };
    const named = info && (info.stages[Number(stage) - 1]?.name ?? stage ?? info.stages.at(-2).name);
    if (info && !info.stages.some(({ name }) => name === named)) throw new RangeError(`stage is "${stage}", expected 1 to ${info.stages.length} or one of ${info.stages.map(({ name }) => name).join(', ')}.`);
    const samples = state.others === others ? state.samples : others.map((input) => ({ input }));
    chosen = { ...attributes, language: language ?? '' };
    update({
      ...fresh,
      ...(Number(threshold) > 0 && { threshold: Number(threshold) }),
      ...(view && !only && { tab: view }),
      ...(info && { net, info, stages: info.stages, stage: named }),
      theme: theme ?? (night.matches ? 'dark' : 'light'),
      input: picture,
      others,
      samples,
    });
    if (Object.entries(before).some(([name, value]) => state[name] !== value)) await look();
  }

  const repaint = () => chosen.theme === undefined && update({ theme: night.matches ? 'dark' : 'light' });
  const resized = () => update({ width: innerWidth });
  night.addEventListener('change', repaint, closing);
  addEventListener('resize', resized, closing);

  return {
    show,
    close() {
      closing.abort();
      current?.abort();
      metrics.then((similarity) => similarity.close(), () => {});
    },
  };
}
