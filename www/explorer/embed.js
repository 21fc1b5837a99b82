/** @file The opened stage below an element of another page: a host of a session. */
import colours from '../colours.css';
import { learn } from '../view/language.js';
import { openAnswerers } from './answers.js';
import './panel.js';
import { Session } from './session.js';
import { newState } from './state.js';
import { viewNamed, views } from './views.js';

/**
 * @typedef {import('./state.js').ImageInput} ImageInput
 * @typedef {import('./state.js').State & { others: ImageInput[] }} Embedded
 * @typedef {{ net?: import('./state.js').Net, picture?: ImageInput, others?: ImageInput[] }} Properties
 * @typedef {Record<string, string | undefined>} Attributes
 */

/** The page's colours of one theme; scripts read them as they are written. @param {string} which */
const coloursOf = (which) => (/\{([^]*)\}/.exec(colours)?.[1] ?? '').replaceAll(/light-dark\((.+?), (.+?)\)/g, which);

const style = `
  :host { display: block; }
  :host([hidden]) { display: none; }
  div {
    ${coloursOf('$1')} color-scheme: light; background: var(--surface); color: var(--text);
    font: 15px/1.45 system-ui, sans-serif;
  }
  div.dark { ${coloursOf('$2')} color-scheme: dark; }
`;

/** The element's shadow root, with a frame for the panel. @param {HTMLElement} host @param {HTMLElement} panel */
function frameIn(host, panel) {
  const frame = document.createElement('div');
  frame.setAttribute('part', 'frame');
  frame.append(panel);
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren(frame);
  return frame;
}

const night = () => matchMedia('(prefers-color-scheme: dark)');

/** What an element of another page shows. */
export class Embedding {
  #closing = new AbortController();
  /** The attributes as they were last. @type {Attributes} */
  #chosen = {};

  /**
   * @param {HTMLElement} host without a shadow root, or with that of an earlier embedding
   * @param {string} [only] the one view that is shown
   */
  constructor(host, only) {
    this.host = host;
    this.only = only;
    /** @type {Embedded} */
    const state = { ...newState(), others: [] };
    if (only) state.tab = only;
    const rows = only ? [viewNamed(only)] : views;
    const failed = (/** @type {Error} */ error) => this.#fail(error);
    this.session = new Session({ state, rows, failed, draw: (now) => this.#draw(now) });
    this.panel = Object.assign(/** @type {import('./panel.js').Panel} */ (document.createElement('gg-panel')), {
      actions: this.session.actions,
      net: () => /** @type {import('./state.js').Net} */ (this.session.net),
      only,
    });
    this.panel.classList.add('embedded');
    this.panel.addEventListener('failure', (event) => this.#fail(/** @type {CustomEvent} */ (event).detail));
    this.frame = frameIn(host, this.panel);
    const { answerers, close } = openAnswerers(failed);
    this.#closing.signal.addEventListener('abort', close);
    this.session.answer(answerers);
    const repaint = () => this.#chosen.theme === undefined && this.session.update({ theme: this.#theme() });
    night().addEventListener('change', repaint, this.#closing);
    addEventListener('resize', () => this.session.update({ width: innerWidth, height: innerHeight }), this.#closing);
  }

  /** @param {Error} detail */
  #fail(detail) {
    if (!this.#closing.signal.aborted) this.host.dispatchEvent(new CustomEvent('failure', { detail }));
  }

  /** @param {string} [asked] */
  #theme(asked) {
    return asked ?? (night().matches ? 'dark' : 'light');
  }

  /** The pair that was told last. @type {string | undefined} */
  #told;

  /** @param {Embedded} state */
  #draw(state) {
    const { frame, panel, host } = this;
    frame.classList.toggle('dark', state.theme === 'dark');
    panel.show(state);
    const pointed = JSON.stringify(state.pointed);
    if (!pointed || pointed === this.#told) return;
    this.#told = pointed;
    panel.updateComplete.then(() => {
      if (!panel.pair) return;
      const { first, last, r } = panel.pair;
      host.dispatchEvent(new CustomEvent('point', { detail: { first, last, r } }));
    });
  }

  /**
   * What the element says: properties, and attributes that are set.
   * @param {Properties} properties
   * @param {Attributes} attributes
   */
  async show({ net, picture, others = [] }, attributes) {
    const { session } = this;
    const { state } = session;
    const { view, stage, threshold, language, theme, ...rest } = attributes;
    if (language !== this.#chosen.language || !state.language) {
      state.language = await learn(language ?? (document.documentElement.lang || 'en').slice(0, 2), true);
    }
    // What a visitor has chosen since stays, unless the attribute says something new.
    const fresh = Object.fromEntries(Object.entries(rest).filter(([name, value]) => this.#chosen[name] !== value));
    const named = net && stageOf(net.info, stage);
    this.#chosen = { ...attributes, language };
    const before = { ...state };
    if (net && net !== session.net) {
      session.use(net);
      state.set = state.timed = undefined;
    }
    session.update({
      ...fresh,
      ...(Number(threshold) > 0 && { threshold: Number(threshold) }),
      ...(view && !this.only && { tab: viewNamed(view).name }),
      ...(net && { info: net.info, stages: net.info.stages, stage: named }),
      theme: this.#theme(theme),
      others,
      ...(state.others !== others && { samples: others.map((input) => ({ input })) }),
    });
    await this.#look(before, picture);
  }

  /**
   * Looks at the picture, where it or what is asked of it is new.
   * @param {Embedded} before
   * @param {ImageInput | undefined} input
   */
  async #look(before, input) {
    const { state } = this.session;
    if (!state.info || input === undefined) return;
    const { picture } = this.session;
    const same = before.info === state.info && before.stage === state.stage && before.compare === state.compare;
    if (same && picture?.input === input) return;
    await this.session.look(picture?.input === input ? picture : { input });
  }

  close() {
    this.#closing.abort();
    this.session.close();
  }
}

/**
 * The stage that an attribute names, by number or name.
 * @param {import('./state.js').Info} info
 * @param {string} [stage]
 */
function stageOf({ stages }, stage) {
  const names = stages.map(({ name }) => name);
  const named = stages[Number(stage) - 1]?.name ?? stage ?? (stages.at(-2) ?? stages[0]).name;
  if (names.includes(named)) return named;
  throw new RangeError(`stage is "${stage}", expected 1 to ${stages.length} or one of ${names.join(', ')}.`);
}

/** @param {HTMLElement} host @param {string} [only] */
export const embed = (host, only) => new Embedding(host, only);
