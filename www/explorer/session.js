/**
 * @file A network that is looked at: a state, what it asks of the network, and what a visitor can do. The page and the
 * elements of other pages are hosts of it.
 */
import { comparedTaps } from '../view/input.js';
import { Planner, mapsIn } from './requests.js';
import { needsOf, views, welcomeOf } from './views.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {import('./state.js').Picture} Picture
 * @typedef {import('./state.js').Pointed} Pointed
 */

/**
 * @template {State} S
 * @typedef {object} Host
 * @property {S} state which the session changes
 * @property {(state: S) => void} draw
 * @property {(error: Error, picture?: Picture) => void} failed
 * @property {(picture: Picture) => Picture} [shown] what a picture needs to be shown
 * @property {import('./views.js').Row[]} [rows] the views that can be opened
 */

/** @param {string} pin @returns {Pointed | undefined} `last.12` or `last.12.40` as a pointed map */
export function readPin(pin) {
  const [side, channel, other] = pin.split('.');
  if ((side !== 'first' && side !== 'last') || !/^\d+$/.test(channel ?? '')) return undefined;
  return { side, channel: Number(channel), ...(/^\d+$/.test(other ?? '') && { other: Number(other) }) };
}

/** @param {Pointed} pointed */
export const writePin = ({ side, channel, other }) =>
  [side, channel, ...(other === undefined ? [] : [other])].join('.');

/** @param {Pointed} [a] @param {Pointed} [b] */
const same = (a, b) => a?.side === b?.side && a?.channel === b?.channel && a?.other === b?.other;

/** Sides of inputs that can be chosen, besides a network's own. */
export const SIDES = [192, 320, 448, 640];
/** Beyond this one sees nothing more in a grid. */
const SHARP_ENOUGH = 448;
/** What a run may take, in milliseconds; the first one, which is timed, is so many times as slow as those after it. */
const QUICK = 300;
const COLD = 3;

/**
 * The largest input that a device computes quickly: the time goes with the pixels.
 * @param {number} own side of the network's input
 * @param {number} milliseconds of the first run
 */
function sharpest(own, milliseconds) {
  const quick = (/** @type {number} */ side) => ((milliseconds / COLD) * side * side) / (own * own) <= QUICK;
  return SIDES.findLast((side) => side <= SHARP_ENOUGH && side > own && quick(side)) ?? own;
}

/** @template {State} S */
export class Session {
  /** @type {import('./state.js').Net | undefined} */
  net;
  /** Aborts what an earlier choice still has to do: the last choice wins. @type {AbortController | undefined} */
  #current;
  /** The picture that was chosen last, until it is shown or refused. @type {Picture | undefined} */
  #asked;
  #closed = false;
  /** Whether the views are there, and ask. */
  #asking = false;

  /** @param {Host<S>} host */
  constructor({ state, draw, failed, shown = (picture) => picture, rows = views }) {
    this.state = state;
    this.draw = draw;
    this.failed = failed;
    this.shown = shown;
    this.rows = rows;
    this.planner = new Planner({ changed: () => this.update({}), failed });
  }

  /** Lets the views ask, too. @param {Record<string, import('./requests.js').Answerer>} answerers */
  answer(answerers) {
    this.planner.answerers = answerers;
    this.#asking = true;
    this.update({});
  }

  /** @param {Partial<S>} change */
  update(change) {
    if (this.#closed) return;
    const { state } = this;
    Object.assign(state, change);
    if (this.#asking && this.net) {
      state.answers = this.planner.want(needsOf(state), welcomeOf(state, this.rows));
      state.comparison = comparisonOf(state);
    }
    this.draw(state);
  }

  /** Another net; what was asked of the last one is called off. @param {import('./state.js').Net} net */
  use(net) {
    this.net = net;
    this.planner.use(net);
  }

  /**
   * Looks at a picture, and opens a stage on it.
   * @param {Picture | undefined} choice
   * @param {Partial<S>} [change]
   */
  async look(choice, change = {}) {
    const { net, state } = this;
    if (!net || !choice) return;
    this.#current?.abort();
    const { signal } = (this.#current = new AbortController());
    this.#asked = choice;
    this.update({ ...change, busy: true, error: undefined });
    const over = () => signal.aborted || net !== this.net;
    try {
      const taps = comparedTaps(state);
      const opened = { stage: state.stage, taps };
      const alone = choice.live || state.side === net.info.input.side;
      let shown = choice;
      if (!alone) {
        // The answer is that of the network's own side, and there before the maps.
        const result = await this.planner.classify(choice, signal);
        if (over()) return;
        shown = this.#show(choice, { result, maps: {} }, opened, true);
        this.#viewAt(net, result);
      } else this.planner.viewAt(undefined);
      const seen = await this.planner.see(choice, choice.unread ? [] : taps, { along: this.#along(choice), signal });
      if (over()) return;
      this.#show(shown, seen, opened);
    } catch (error) {
      if (signal.aborted || net !== this.net) return;
      this.#asked = undefined;
      this.update(/** @type {Partial<S>} */ ({ busy: false }));
      this.failed(/** @type {Error} */ (error), choice);
    }
  }

  /**
   * The side that maps are made from: what the visitor chose, or as sharp as this device allows.
   * @param {import('./state.js').Net} net
   * @param {import('./state.js').Classification} result
   */
  #viewAt(net, { milliseconds }) {
    const own = net.info.input.side;
    if (!this.#sharp.has(net)) this.#sharp.set(net, sharpest(own, milliseconds));
    const side = this.state.side || this.#sharp.get(net);
    this.planner.viewAt(side === own ? undefined : side);
  }
  /** @type {WeakMap<object, number>} */
  #sharp = new WeakMap();

  /** Taps that the views will want of a picture, if the network runs on it anyway. @param {Picture} picture */
  #along(picture) {
    const { state } = this;
    if (picture.unread) return [];
    const maps = { picture, stage: state.stage, taps: comparedTaps(state) };
    const then = /** @type {State} */ ({ ...state, picture, maps, set: undefined });
    const requests = welcomeOf(then, this.rows).flatMap(mapsIn);
    return requests.flatMap((request) => (request.picture === picture ? request.taps : []));
  }

  /**
   * @param {Picture} choice
   * @param {import('./requests.js').Seen} seen
   * @param {{ stage: string, taps: [string, string] }} opened
   * @param {boolean} [busy] whether its maps are still to come
   * @returns {Picture} as it is shown
   */
  #show(choice, { result = this.state.result, maps }, { stage, taps }, busy = false) {
    const { state } = this;
    if (!busy) this.#asked = undefined;
    const before = [state.picture, state.maps?.picture];
    const picture = choice === state.picture ? choice : this.shown(choice);
    const [first, last] = taps.map((tap) => maps[tap]);
    const side = this.planner.sideOf(picture);
    const compared = first ? { picture, stage, taps, first, last, side } : state.maps;
    const pointed = picture === before[0] || picture.live ? state.pointed : undefined;
    this.update(/** @type {Partial<S>} */ ({ picture, result, maps: compared, pointed, busy }));
    for (const gone of before) {
      if (gone?.live && gone !== picture && gone !== compared?.picture) this.planner.forget(gone);
    }
    return picture;
  }

  /** The picture that was chosen last. */
  get picture() {
    return this.#asked ?? this.state.picture;
  }

  /** What a visitor can do in the opened stage. */
  actions = {
    /** @param {Partial<S>} change */
    update: (change) => this.update(change),
    /** @param {string} stage */
    selectStage: (stage) => this.look(this.picture, /** @type {Partial<S>} */ ({ stage, compare: '', pin: '' })),
    /** @param {number} side of the input that maps are made from; 0: as sharp as this device allows */
    viewAt: (side) => this.look(this.picture, /** @type {Partial<S>} */ ({ side })),
    /** @param {string} compare two taps, joined by a comma */
    compare: (compare) => this.look(this.picture, /** @type {Partial<S>} */ ({ compare, pin: '' })),
    /** @param {Pointed} pointed */
    point: (pointed) => {
      if (!same(this.state.pointed, pointed)) this.update(/** @type {Partial<S>} */ ({ pointed }));
    },
    /** The pointer left the maps: a pinned one is shown again. */
    leave: () => {
      const { pin, pointed } = this.state;
      if (pin && pointed) this.update(/** @type {Partial<S>} */ ({ pointed: undefined }));
    },
    /** @param {Pointed} pointed */
    pin: (pointed) => {
      const pin = writePin(pointed);
      this.update(/** @type {Partial<S>} */ ({ pin: this.state.pin === pin ? '' : pin, pointed }));
    },
    /** Over a set: the samples, or the visitor's own pictures. @param {Picture[]} pictures @param {string} name */
    measureSet: (pictures, name) => {
      const { maps } = this.state;
      if (maps) this.update(/** @type {Partial<S>} */ ({ set: { name, pictures, taps: maps.taps } }));
    },
    /** @param {string} name */
    measureSamples: (name) =>
      this.actions.measureSet(
        this.state.samples.map((sample) => ({ sample })),
        name,
      ),
    cancelSet: () => this.update(/** @type {Partial<S>} */ ({ set: undefined })),
    timeBoth: () => {
      const { picture, timed } = this.state;
      if (picture) this.update(/** @type {Partial<S>} */ ({ timed: { picture, run: (timed?.run ?? 0) + 1 } }));
    },
  };

  close() {
    this.#closed = true;
    this.#current?.abort();
    this.planner.use(undefined);
  }
}

/**
 * The answers of the stage as one. Until those of other maps or another measure are there, the last ones stay.
 * @param {State} state
 * @returns {State['comparison']}
 */
function comparisonOf({ answers: { similarity, shuffled, chance }, comparison, maps, metric }) {
  if (!similarity || !maps) return comparison;
  const now = { ...similarity, maps, metric, shuffled: shuffled?.bestOfB, other: chance?.bestOfB };
  const names = /** @type {const} */ (['matrix', 'maps', 'metric', 'shuffled', 'other']);
  return comparison && names.every((name) => comparison[name] === now[name]) ? comparison : now;
}
