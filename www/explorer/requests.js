/**
 * @file What the views ask of the network, as data, and who answers it. A request names what it is made `from`, so
 * that the planner knows the taps that are wanted of a picture before it runs the network: once for all of them.
 * Answers are remembered, and what nobody wants any more is called off.
 */
import { throwIfAborted, untilAborted } from '../lib/errors.js';
import { inputOf } from '../view/input.js';

/**
 * @typedef {import('./state.js').Picture} Picture
 * @typedef {import('./state.js').FeatureMaps} FeatureMaps
 */

/** Maps by tap. @typedef {{ kind: 'maps', picture: Picture, taps: string[] }} MapsRequest */
/**
 * Anything that can be asked; `kind` names who answers it (answers.js) and what else is in it.
 * @typedef {{ kind: string, from?: Request[] } & Record<string, any>} Request
 */

/** @type {(picture: Picture, taps: string[]) => MapsRequest} */
export const mapsOf = (picture, taps) => ({ kind: 'maps', picture, taps });

/**
 * Every map of the first against every map of the second.
 * @param {MapsRequest} x
 * @param {MapsRequest} y of one tap each
 */
export const similarity = (x, y, metric = 'pearson', shuffled = false) => ({
  kind: 'similarity',
  metric,
  shuffled,
  from: [x, y],
});

/**
 * What the network said of a picture, with maps by tap.
 * @typedef {object} Seen
 * @property {Record<string, FeatureMaps>} maps
 * @property {import('./state.js').Classification} [result] where the network ran at its own side
 * @property {boolean} [owned] whether nobody else has these maps
 */

/**
 * @typedef {object} Context what an answer may use
 * @property {import('./state.js').Net} net
 * @property {AbortSignal} signal aborted once nobody wants the answer
 * @property {(value: unknown) => void} tell what is known so far
 * @property {(picture: Picture, taps: string[], options?: { keep?: boolean }) => Promise<Seen>} see
 * @property {(picture: Picture) => Promise<import('./state.js').Classification>} classify at the network's own side
 * @property {(picture: Picture) => number | undefined} sideOf the input that `see` makes maps from
 */

/** @typedef {(request: any, from: any[], context: Context) => Promise<unknown>} Answerer */

/** Most bytes of maps, and of other answers, that are remembered. */
const LIMITS = { maps: 96e6, answers: 24e6 };

/** Who wants what the views want; the others are answers that are being made. */
const VIEWS = 'views';

/** Pictures by number: a sample is the same picture whenever it is chosen. */
const numbers = new WeakMap();
let count = 0;
/** @param {Picture} picture */
function numberOf(picture) {
  const key = picture.sample ?? picture;
  if (!numbers.has(key)) numbers.set(key, ++count);
  return numbers.get(key);
}

/** @param {number} number of a picture @param {number | undefined} side @param {string} tap */
const mapKey = (number, side, tap) => `${number} ${side ?? ''} ${tap}`;

/** @param {string} name @param {any} value */
const named = (name, value) => {
  if (name === 'pictures') return value.map(numberOf);
  return name === 'picture' ? numberOf(value) : value;
};
/** @param {Request} request */
const keyOf = (request) => JSON.stringify(request, named);

/** @param {any} value @returns {number} bytes of the typed arrays in it */
function bytesOf(value) {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (value === null || typeof value !== 'object') return 0;
  return Object.values(value).reduce((sum, part) => sum + bytesOf(part), 0);
}

/** Keeps what was used last, up to a number of bytes. @template T */
class Memory {
  /** @type {Map<string, T>} */
  #kept = new Map();
  #bytes = 0;

  /** @param {number} limit */
  constructor(limit) {
    this.limit = limit;
  }

  /** @param {string} key @returns {T | undefined} */
  get(key) {
    const value = this.#kept.get(key);
    if (value === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, value);
    return value;
  }

  /** @param {string} key @param {T} value */
  set(key, value) {
    this.delete(key);
    this.#kept.set(key, value);
    this.#bytes += bytesOf(value);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.limit || oldest === key) break;
      this.delete(oldest);
    }
  }

  /** @param {string} key */
  delete(key) {
    if (this.#kept.has(key)) this.#bytes -= bytesOf(this.#kept.get(key));
    this.#kept.delete(key);
  }

  /** @param {(key: string) => boolean} [which] */
  clear(which = () => true) {
    for (const key of [...this.#kept.keys()].filter(which)) this.delete(key);
  }
}

/**
 * @typedef {object} Entry a request that is wanted
 * @property {string} key
 * @property {Request} request
 * @property {Set<string>} users who wants it
 * @property {AbortController} call
 * @property {unknown} value as far as it is known
 * @property {boolean} done
 * @property {Entry[]} from
 * @property {Promise<unknown>} promise
 */

/**
 * A run of the network on a picture.
 * @typedef {{ side: number | undefined, taps: Set<string>, users: number, call: AbortController, promise: Promise<Seen> }} Run
 */

export class Planner {
  /** @type {Record<string, Answerer>} */
  answerers = {};
  /** @type {import('./state.js').Net | undefined} */
  #net;
  /** @type {Memory<FeatureMaps>} */
  #maps = new Memory(LIMITS.maps);
  /** @type {Memory<unknown>} */
  #answers = new Memory(LIMITS.answers);
  /** What the network said of pictures. @type {Map<number, Seen['result']>} */
  #results = new Map();
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** Runs that are under way, by picture. @type {Map<number, Run[]>} */
  #runs = new Map();
  /** Taps that are wanted, or welcome, by picture. @type {Map<number, Set<string>>} */
  #taps = new Map();
  /** Side of the input that maps are made from; undefined: the network's own. @type {number | undefined} */
  #side;

  /** @param {{ changed: () => void, failed: (error: Error) => void }} host told when an answer is there, or none */
  constructor({ changed, failed }) {
    this.changed = changed;
    this.failed = failed;
  }

  /** Maps are made from an input of this side from now on. @param {number | undefined} side */
  viewAt(side) {
    if (side === this.#side) return;
    for (const entry of [...this.#entries.values()]) this.#end(entry);
    this.#answers.clear();
    this.#side = side;
  }

  /** The side of the input that a picture's maps are made from; undefined: the network's own. @param {Picture} picture */
  sideOf = ({ live }) => (live ? undefined : this.#side);

  /**
   * What the network says of a picture, at its own side.
   * @param {Picture} picture
   * @param {AbortSignal} [signal]
   * @returns {Promise<import('./state.js').Classification>}
   */
  async classify(picture, signal) {
    const number = numberOf(picture);
    const known = this.#results.get(number);
    if (known) return known;
    const net = /** @type {import('./state.js').Net} */ (this.#net);
    const result = await net.classify(inputOf(picture), { signal });
    if (net === this.#net) this.#results.set(number, result);
    return result;
  }

  /** Another net, or none, is asked from now on. @param {import('./state.js').Net} [net] */
  use(net) {
    for (const entry of [...this.#entries.values()]) this.#end(entry);
    this.#maps.clear();
    this.#answers.clear();
    this.#results.clear();
    this.#net = net;
  }

  /**
   * What is wanted from now on, by name. Anything else is called off.
   * @param {Record<string, Request | undefined>} requests
   * @param {Request[]} [welcome] whose maps are taken along where the network runs on their picture anyway
   * @returns {Record<string, any>} the answers that are there
   */
  want(requests, welcome = []) {
    const wanted = Object.entries(requests).flatMap(([name, request]) => (request ? [{ name, request }] : []));
    this.#taps = tapsByPicture([...wanted.map(({ request }) => request), ...welcome]);
    const entries = wanted.map(({ name, request }) => ({ name, entry: this.#entry(request, VIEWS) }));
    const keys = new Set(entries.map(({ entry }) => entry.key));
    for (const entry of [...this.#entries.values()]) if (!keys.has(entry.key)) this.#release(entry, VIEWS);
    return Object.fromEntries(entries.map(({ name, entry }) => [name, entry.value]));
  }

  /**
   * A picture's maps: remembered, or read in one run with all that is wanted of the picture.
   * @param {Picture} picture
   * @param {string[]} taps
   * @param {{ along?: Iterable<string>, keep?: boolean, signal?: AbortSignal }} [options] `along`: taps that are
   *   taken too if the network has to run; without `keep` nothing is remembered
   * @returns {Promise<Seen>}
   */
  async see(picture, taps, { along = [], keep = true, signal } = {}) {
    throwIfAborted(signal);
    const number = numberOf(picture);
    const side = this.sideOf(picture);
    const result = this.#results.get(number);
    const known = taps.map((tap) => this.#maps.get(mapKey(number, side, tap)));
    if ((result || side) && known.every(Boolean)) {
      return { result, maps: Object.fromEntries(taps.map((tap, i) => [tap, /** @type {FeatureMaps} */ (known[i])])) };
    }
    if (!keep) return { ...(await this.#ask(picture, new Set(taps), keep, signal)), owned: true };
    const missing = taps.filter((_, i) => !known[i]);
    const running = this.#runs
      .get(number)
      ?.find((run) => run.side === side && missing.every((tap) => run.taps.has(tap)));
    const run = running ?? this.#run(picture, new Set([...taps, ...along]));
    run.users += 1;
    try {
      const seen = await untilAborted(run.promise, [signal]);
      const maps = taps.map((tap, i) => [tap, seen.maps[tap] ?? known[i]]);
      return { result: seen.result, maps: Object.fromEntries(maps) };
    } finally {
      run.users -= 1;
      if (run.users === 0) run.call.abort();
    }
  }

  /** What the network has said of a picture already. @param {Picture} picture @param {import('./state.js').Classification} result */
  know(picture, result) {
    this.#results.set(numberOf(picture), result);
  }

  /** A picture that is gone: a frame of the camera. @param {Picture} picture */
  forget(picture) {
    const number = numberOf(picture);
    this.#results.delete(number);
    this.#maps.clear((key) => key.startsWith(`${number} `));
  }

  /** @param {Picture} picture @param {Set<string>} taps */
  #run(picture, taps) {
    const number = numberOf(picture);
    const call = new AbortController();
    const run = {
      side: this.sideOf(picture),
      taps,
      users: 0,
      call,
      promise: this.#ask(picture, taps, true, call.signal),
    };
    const runs = this.#runs.get(number) ?? [];
    this.#runs.set(number, [...runs, run]);
    const over = () => {
      const left = (this.#runs.get(number) ?? []).filter((other) => other !== run);
      if (left.length) this.#runs.set(number, left);
      else this.#runs.delete(number);
    };
    run.promise.then(over, over);
    return run;
  }

  /**
   * @param {Picture} picture
   * @param {Set<string>} taps
   * @param {boolean} keep
   * @param {AbortSignal} [signal]
   * @returns {Promise<Seen>}
   */
  async #ask(picture, taps, keep, signal) {
    const net = /** @type {import('./state.js').Net} */ (this.#net);
    if (!taps.size) return { maps: {}, result: await this.classify(picture, signal) };
    const side = this.sideOf(picture);
    const { maps, ...result } = await net.features(inputOf(picture), { taps: [...taps], side, signal });
    if (keep && net === this.#net) {
      const number = numberOf(picture);
      if (!side) this.#results.set(number, result);
      for (const [tap, found] of Object.entries(maps)) this.#maps.set(mapKey(number, side, tap), found);
    }
    return { maps, ...(!side && { result }) };
  }

  /** @param {Request} request @param {string} user @returns {Entry} */
  #entry(request, user) {
    const key = keyOf(request);
    const entry = this.#entries.get(key) ?? this.#begin(key, request);
    entry.users.add(user);
    return entry;
  }

  /** @param {string} key @param {Request} request @returns {Entry} */
  #begin(key, request) {
    const value = this.#answers.get(key);
    /** @type {Entry} */
    const entry = {
      key,
      request,
      users: new Set(),
      call: new AbortController(),
      value,
      done: value !== undefined,
      from: [],
      promise: Promise.resolve(value),
    };
    this.#entries.set(key, entry);
    if (!entry.done) {
      entry.promise = this.#answer(entry);
      entry.promise.catch((error) => this.#fail(entry, error));
    }
    return entry;
  }

  /** @param {Entry} entry */
  async #answer(entry) {
    const {
      request,
      call: { signal },
    } = entry;
    const net = /** @type {import('./state.js').Net} */ (this.#net);
    /** @param {unknown} value */
    const tell = (value) => {
      if (signal.aborted) return;
      entry.value = value;
      this.changed();
    };
    /** @type {Context['see']} */
    const see = (picture, taps, options) => {
      return this.see(picture, taps, { ...options, signal, along: this.#taps.get(numberOf(picture)) });
    };
    const classify = (/** @type {Picture} */ picture) => this.classify(picture, signal);
    let value;
    if (request.kind === 'maps') value = (await see(request.picture, request.taps)).maps;
    else {
      entry.from = (request.from ?? []).map((/** @type {Request} */ one) => this.#entry(one, entry.key));
      const from = await Promise.all(entry.from.map(({ promise }) => promise));
      throwIfAborted(signal);
      value = await this.answerers[request.kind](request, from, {
        net,
        signal,
        tell,
        see,
        classify,
        sideOf: this.sideOf,
      });
    }
    throwIfAborted(signal);
    entry.done = true;
    for (const one of entry.from) this.#release(one, entry.key);
    tell(value);
    return value;
  }

  /** @param {Entry} entry @param {Error & { code?: string }} error */
  #fail(entry, error) {
    const off = entry.call.signal.aborted || error.code === 'aborted' || error.code === 'disposed';
    if (!off && entry.users.has(VIEWS)) this.failed(error);
  }

  /** @param {Entry} entry @param {string} user who does not want it any more */
  #release(entry, user) {
    entry.users.delete(user);
    if (entry.users.size === 0) this.#end(entry);
  }

  /** @param {Entry} entry */
  #end(entry) {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    for (const one of entry.from) this.#release(one, entry.key);
    // Maps are remembered by themselves, and more of them.
    if (entry.done && entry.request.kind !== 'maps') this.#answers.set(entry.key, entry.value);
    else if (!entry.done) entry.call.abort();
  }
}

/** @param {Request[]} requests @returns {Map<number, Set<string>>} */
function tapsByPicture(requests) {
  /** @type {Map<number, Set<string>>} */
  const taps = new Map();
  for (const { picture, taps: wanted } of requests.flatMap(mapsIn)) {
    const number = numberOf(picture);
    taps.set(number, new Set([...(taps.get(number) ?? []), ...wanted]));
  }
  return taps;
}

/** The maps that a request is made from, in the end. @param {Request} request @returns {MapsRequest[]} */
export function mapsIn(request) {
  if (request.kind === 'maps') return [/** @type {MapsRequest} */ (/** @type {unknown} */ (request))];
  return (request.from ?? []).flatMap(mapsIn);
}
