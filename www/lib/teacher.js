/**
 * @file Teaching a net new classes from a few pictures of each. The types, with examples, are in teach.d.ts.
 */
import { asError, GGhostError, throwIfAborted, untilAborted } from './errors.js';
import { openHost } from './host.js';
import { isBlob, isList, nameOf } from './image.js';
import { lazy, lazyCalls } from './lazy.js';
import { badOption, brandOf, known, optionsOf, shown } from './options.js';
import { Store } from './teach-store.js';

/**
 * @typedef {import('./index.d.ts').GGhostNet} Net
 * @typedef {import('./index.d.ts').ImageInput} ImageInput
 * @typedef {import('./teach.d.ts').TaughtExample} Example
 * @typedef {import('./teach.d.ts').Lesson} Lesson
 * @typedef {import('./teach.d.ts').Teacher} Declared
 * @typedef {import('./teach-engine.js').Judged} Judged
 * @typedef {{ key: number, label: string }} Class
 * @typedef {{ id: number, class: number | null, name?: string, thumbnail?: Blob }} Picture
 *
 * @typedef {{ study?: (part: number) => void, curve?: (part: number) => void }} Told who is told how far it is
 *
 * @typedef {object} Features who computes them
 * @property {(pictures: ImageInput[], options: { signal?: AbortSignal, errors: 'return' }) => Promise<(Float32Array |
 *   import('./index.d.ts').FailedPicture)[]>} embed
 * @property {number} together how many pictures at once
 *
 * @typedef {object} Around what the net gives
 * @property {boolean} [worker]
 * @property {string} [wasmUrl]
 * @property {string} [packageUrl]
 * @property {import('./image.js').Platform} platform
 * @property {(model: Blob, options: import('./index.d.ts').EditOptions) => Promise<Net>} netOf a net of another model
 */

/** @type {import('./host.js').Place} */
const place = {
  // Vite before 6 wants the options written out.
  start: () => new Worker(new URL('./teach-worker.js', import.meta.url), { type: 'module', name: 'g-ghostnet teach' }),
  script: 'lib/teach-worker.js',
  methods: async (hooks) => (await lazyCalls.teachEngine()).teachMethods(hooks),
};

/** Pictures whose features are computed and kept together, usually. */
const TOGETHER = 8;

/** Least cosine of the features that two nets of one network have for the same input: eight bits change them a little. */
const SAME = 0.98;

/** The penalty of a classifier before any was chosen. */
const USUAL_PENALTY = 0.03;

/**
 * @param {Net} net
 * @param {import('./teach.d.ts').TeachOptions} options
 * @param {Around} around
 * @returns {Promise<import('./teach.d.ts').Teacher>}
 */
export async function openTeacher(net, options, around) {
  /** @type {import('./teach.d.ts').TeachOptions & { platform?: Partial<Features> }} */
  const { classes = [], file, keep, signal, platform: given = {} } = options;
  const { worker, wasmUrl, platform, packageUrl } = around;
  if (platform.flavour)
    throw new GGhostError('unsupported', 'The inlined engine teaches nothing: import g-ghostnet itself.');
  if (!Array.isArray(classes)) throw badOption('classes', classes, ['a list of labels']);
  if (keep !== undefined && (typeof keep !== 'string' || keep === '')) throw badOption('keep', keep, ['a name']);
  throwIfAborted(signal);
  const opened = file === undefined ? undefined : asBlob(file);
  const store = keep === undefined ? undefined : await Store.open(keep);
  /** @type {Told} */
  const told = {};
  const onProgress = (/** @type {{ of: 'study' | 'curve', part: number }} */ { of, part }) => told[of]?.(part);
  /** @type {any} its progress has another form than that of loading */
  const hooks = { ...platform, packageUrl, signal, onProgress };
  const host = await openHost(place, worker, hooks);
  const embed = given.embed ?? ((pictures, options) => net.embed(pictures, options));
  const features = { embed, together: given.together ?? TOGETHER };
  const teacher = new Teacher(net, { host, store, told, features, netOf: around.netOf });
  try {
    const places = { wasmUrl, packageUrl: host.packageUrl ?? packageUrl };
    await teacher._open(places, { classes, file: opened, signal });
    return teacher;
  } catch (error) {
    teacher.close();
    throw error;
  }
}

/** @param {unknown} file */
function asBlob(file) {
  if (isBlob(file)) return /** @type {Blob} */ (file);
  if (['ArrayBuffer', 'Uint8Array'].includes(brandOf(file))) return new Blob([/** @type {ArrayBuffer} */ (file)]);
  throw badOption('file', file, ['a Blob or File', 'an ArrayBuffer', 'a Uint8Array']);
}

/** @implements {Declared} */
class Teacher {
  #net;
  #host;
  #store;
  #told;
  #features;
  #netOf;
  /** @type {Class[]} */
  #classes = [];
  /** @type {Map<number, Picture>} */
  #pictures = new Map();
  /** Features of the self-test's input. @type {Float32Array} */
  #selfTest = new Float32Array();
  /** The last report, and whether it is of what is taught now. @type {Judged | undefined} */
  #judged;
  #stale = true;
  /** A classifier without a report, of what is taught now. @type {Float64Array | undefined} */
  #classifier;
  #count = 0;
  /** Changes, one after the other. @type {Promise<unknown>} */
  #queue = Promise.resolve();
  #closing = new AbortController();

  /**
   * @param {Net} net
   * @param {{ host: import('./host.js').Host, store?: Store, told: Told, features: Features,
   *   netOf: Around['netOf'] }} around
   */
  constructor(net, { host, store, told, features, netOf }) {
    this.#net = net;
    this.#host = host;
    this.#store = store;
    this.#told = told;
    this.#features = features;
    this.#netOf = netOf;
  }

  /**
   * Before it is anybody's.
   * @param {object} places
   * @param {{ classes: string[], file?: Blob, signal?: AbortSignal }} options
   */
  async _open(places, { classes, file, signal }) {
    const { noise } = await lazy.more();
    const { side } = this.#net.info.input;
    const input = { data: noise(3 * side ** 2), dims: /** @type {any} */ ([1, 3, side, side]) };
    const { taps } = await this.#net.forward(input, { taps: ['avgpool'], signal });
    this.#selfTest = taps.avgpool.data;
    await this.#call('open', { ...places, width: this.#selfTest.length }, signal);
    const kept = await this.#store?.read();
    if (kept) await this.#restore(kept.set, kept.pictures);
    else await this.#store?.write(this.#set);
    // What is kept has gone on since the file was saved.
    if (!kept?.pictures.length) await this.#read(file ?? this.#net.model, Boolean(file), signal);
    for (const label of classes) if (!this.#classes.some((known) => known.label === label)) await this.addClass(label);
  }

  /** @param {import('./teach-store.js').Kept} set @param {import('./teach-store.js').KeptPicture[]} pictures */
  async #restore({ classes, selfTest }, pictures) {
    this.#checkNetwork(selfTest, 'What is kept under this name');
    this.#classes = classes;
    // A class whose removal was cut short is gone with its pictures.
    const known = pictures.filter((picture) => picture.class === null || this.#has(picture.class));
    await this.#put(known);
  }

  /** The pictures that a model's file has beside it. @param {Blob} file @param {boolean} insisted @param {AbortSignal} [signal] */
  async #read(file, insisted, signal) {
    const found = await this.#call('read', { file }, signal);
    if (!found && insisted) {
      const text = 'The file has no pictures beside its model: it was not taught here, or saved without them.';
      throw new GGhostError('bad-model', text);
    }
    if (!found) return;
    const { labels, classes, features, selfTest, thumbnails } = found;
    this.#checkNetwork(selfTest, 'The file');
    for (const label of labels) if (!this.#classes.some((one) => one.label === label)) await this.addClass(label);
    const keys = labels.map((/** @type {string} */ label) => this.#classOf(label).key);
    const width = selfTest.length;
    const pictures = classes.map((/** @type {number} */ place, /** @type {number} */ i) => ({
      class: place < 0 ? null : keys[place],
      features: features.slice(i * width, (i + 1) * width),
      thumbnail: thumbnails[i],
    }));
    if (pictures.length) await this.#keep(pictures);
  }

  /** Whether pictures are of this network. @param {Float32Array} selfTest @param {string} what */
  #checkNetwork(selfTest, what) {
    const own = this.#selfTest;
    const dot = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) =>
      a.reduce((sum, value, i) => sum + value * b[i], 0);
    const same =
      own.length === selfTest.length && dot(own, selfTest) ** 2 >= SAME ** 2 * dot(own, own) * dot(selfTest, selfTest);
    if (same) return;
    const text = `${what} was taught to another network: load that one, or teach this one anew.`;
    throw new GGhostError('bad-model', text);
  }

  get classes() {
    const counts = new Map();
    for (const picture of this.#pictures.values()) counts.set(picture.class, (counts.get(picture.class) ?? 0) + 1);
    return this.#classes.map(({ key, label }) => ({ label, examples: counts.get(key) ?? 0 }));
  }

  get examples() {
    return [...this.#pictures.values()].map((picture) => this.#shown(picture));
  }

  /** @param {string} label */
  addClass(label) {
    return this.#change(async () => {
      this.#checkNew(label);
      const key = 1 + Math.max(0, ...this.#classes.map((one) => one.key), ...this.#keysOfPictures);
      await this.#setClasses([...this.#classes, { key, label }]);
    });
  }

  /** @param {string} label @param {string} to */
  rename(label, to) {
    return this.#change(async () => {
      const { key } = this.#classOf(label);
      if (to === label) return;
      this.#checkNew(to);
      await this.#setClasses(
        this.#classes.map((one) => (one.key === key ? { key, label: to } : one)),
        this.#stale,
      );
    });
  }

  /** @param {string} label */
  removeClass(label) {
    return this.#change(async () => {
      const { key } = this.#classOf(label);
      await this.#setClasses(this.#classes.filter((one) => one.key !== key));
      await this.#drop([...this.#pictures.values()].filter((one) => one.class === key).map(({ id }) => id));
    });
  }

  /**
   * @param {string | null} label
   * @param {any} input a picture or a list of them
   * @param {import('./teach.d.ts').AddListOptions} [options]
   * @returns {Promise<any>}
   */
  async add(label, input, options) {
    const given = optionsOf(options, ['thumbnail', 'errors', 'onProgress', 'signal'], 'add');
    const { thumbnail = 0, errors = 'throw', onProgress = () => {}, signal } = given;
    known('errors', errors, ['throw', 'return']);
    this.#check(signal);
    const { key } = label === null ? { key: null } : this.#classOf(label);
    const one = async (/** @type {ImageInput} */ picture) => {
      const still = thumbnail ? await stillOf(picture) : picture;
      return { still, name: nameOf(picture), thumbnail: thumbnail ? await thumbnailOf(still, thumbnail) : undefined };
    };
    if (!isList(input)) {
      const { still, ...beside } = await one(input);
      const features = await this.#net.embed(still, { signal });
      this.#check(signal);
      return (await this.#kept([{ class: key, features, ...beside }]))[0];
    }
    /** @type {any[]} */
    const added = [];
    let done = 0;
    for await (const pictures of groupsOf(input, this.#features.together)) {
      const stills = await Promise.all(pictures.map(one));
      const features = await this.#features.embed(
        stills.map(({ still }) => still),
        { signal, errors: 'return' },
      );
      const places = features.map((found, i) => {
        if (!('error' in found)) return i;
        const failed = { ...found, index: done + i };
        if (errors === 'throw') throw Object.assign(failed.error, { index: failed.index });
        added[done + i] = failed;
        return -1;
      });
      const good = places.filter((i) => i >= 0);
      const made = good.map((i) => {
        const { still: _, ...beside } = stills[i];
        return { class: key, features: /** @type {Float32Array} */ (features[i]), ...beside };
      });
      this.#check(signal);
      const examples = made.length ? await this.#kept(made) : [];
      good.forEach((i, at) => (added[done + i] = examples[at]));
      done += pictures.length;
      onProgress({ done });
    }
    if (done === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
    return added;
  }

  /** @param {number | number[]} ids */
  remove(ids) {
    return this.#change(() => this.#drop([ids].flat()));
  }

  /** @param {number} id @param {string | null} label */
  move(id, label) {
    return this.#change(async () => {
      const picture = this.#pictures.get(id);
      if (!picture) throw badOption('id', id, ['the id of a picture']);
      const key = label === null ? null : this.#classOf(label).key;
      if (key === picture.class) return;
      await this.#store?.move(id, key);
      await this.#call('move', { id, to: key });
      this.#pictures.set(id, { ...picture, class: key });
      this.#changed();
    });
  }

  /** @param {import('./teach.d.ts').FitOptions} [options] @returns {Promise<Lesson>} */
  async fit(options) {
    const { method, signal, onProgress = () => {} } = optionsOf(options, ['method', 'onProgress', 'signal'], 'fit');
    if (method !== undefined) known('method', method, ['means', 'ridge']);
    return this.#lesson(await this.#fitted(method, onProgress, signal));
  }

  /** @param {import('./teach.d.ts').CurveOptions} [options] */
  async curve(options) {
    const given = optionsOf(options, ['sizes', 'draws', 'method', 'onProgress', 'signal'], 'curve');
    const { method, draws = 5, signal, onProgress = () => {} } = given;
    if (method !== undefined) known('method', method, ['means', 'ridge']);
    const largest = Math.max(...this.classes.map(({ examples }) => examples));
    const sizes = (given.sizes ?? [2, 3, 5, 10, 20, 50, 100]).filter((size) => size <= largest);
    if (sizes.length === 0) throw new GGhostError('bad-option', 'A learning curve needs two pictures of a class.');
    const request = { classes: this.#keys(), method, sizes, draws };
    const points = await this.#worked('curve', request, onProgress, signal);
    return points.map((/** @type {{ examples: number, accuracies: number[] }} */ point) => ({
      ...point,
      accuracy: point.accuracies.reduce((sum, share) => sum + share, 0) / point.accuracies.length,
    }));
  }

  /** @param {ImageInput} input @param {{ topK?: number, signal?: AbortSignal }} [options] */
  async classify(input, options) {
    const { topK = 5, signal } = optionsOf(options, ['topK', 'signal'], 'classify');
    const features = await this.#net.embed(input, { signal });
    const { numbers, judged } = await this.#latest(signal);
    const labels = this.#classes.map(({ label }) => label);
    const width = features.length;
    const logits = Float32Array.from(labels, (_, k) => {
      let sum = numbers[labels.length * width + k];
      for (let i = 0; i < width; i++) sum += numbers[k * width + i] * features[i];
      return sum;
    });
    const { confidenceOf } = await lazyCalls.engine();
    const rule = judged.known ?? undefined;
    const { temperature } = judged;
    const { probabilities, known } = confidenceOf(logits, labels.length, { temperature, known: rule });
    const top = Array.from(probabilities, (probability, index) => ({ label: labels[index], index, probability }))
      .sort((a, b) => b.probability - a.probability || a.index - b.index)
      .slice(0, topK);
    return { top, ...(rule && known && { known: known[0], unsure: !(known[0] >= rule.threshold) }) };
  }

  /** @param {import('./index.d.ts').EditOptions} [options] */
  async net({ signal, ...options } = {}) {
    const judged = await this.#fitted(undefined, undefined, signal);
    const model = await this.#call('write', this.#written(judged), signal);
    return this.#netOf(model, { signal, ...options });
  }

  /** @param {import('./teach.d.ts').SaveOptions} [options] */
  async save(options) {
    const { examples = true, signal } = optionsOf(options, ['examples', 'signal'], 'save');
    const judged = await this.#fitted(undefined, undefined, signal);
    const written = this.#written(judged);
    // Golden logits are those of WebAssembly in floats: what graphics cards are held against.
    const net = await this.net({ backend: 'wasm', signal });
    let golden;
    try {
      const { noise } = await lazy.more();
      const { side } = net.info.input;
      const input = { data: noise(3 * side ** 2), dims: /** @type {any} */ ([1, 3, side, side]) };
      golden = Array.from((await net.forward(input, { signal })).logits);
    } finally {
      net.dispose();
    }
    const said = { ...written.said, golden };
    if (!examples) return this.#call('write', { ...written, said }, signal);
    const order = await this.#call('order', undefined, signal);
    const thumbnails = order.map((/** @type {number} */ id) => this.#pictures.get(id)?.thumbnail);
    const beside = { classes: this.#keys(), selfTest: this.#selfTest, thumbnails };
    return this.#call('write', { ...written, said, ...beside }, signal);
  }

  forget() {
    return this.#change(async () => {
      await this.#store?.clear();
      this.#store?.close();
      this.#store = undefined;
    });
  }

  close() {
    this.#closing.abort(new GGhostError('disposed', 'The teacher was closed: open a new one.'));
    this.#host.close?.();
    this.#store?.close();
  }

  // --- What is kept ---

  get #set() {
    return { classes: this.#classes, selfTest: this.#selfTest };
  }

  get #keysOfPictures() {
    return new Set([...this.#pictures.values()].map((picture) => picture.class ?? 0));
  }

  /** @param {number} key */
  #has(key) {
    return this.#classes.some((one) => one.key === key);
  }

  /** @param {Class[]} classes @param {boolean} [stale] whether a classifier of before is one of these no more */
  async #setClasses(classes, stale = true) {
    await this.#store?.write({ ...this.#set, classes });
    this.#classes = classes;
    if (stale) this.#changed();
  }

  /** @param {import('./teach-store.js').Picture[]} pictures */
  #kept(pictures) {
    return this.#change(() => this.#keep(pictures));
  }

  /** Pictures are kept for good before they are taken in. @param {import('./teach-store.js').Picture[]} pictures */
  async #keep(pictures) {
    if (pictures.some((picture) => picture.class !== null && !this.#has(picture.class)))
      throw new GGhostError('bad-option', 'The class was removed while its pictures were being read.');
    const ids = this.#store ? await this.#store.add(pictures) : pictures.map(() => ++this.#count);
    return this.#put(pictures.map((picture, i) => ({ ...picture, id: ids[i] })));
  }

  /** @param {(Picture & { features: Float32Array })[]} pictures @returns {Promise<Example[]>} */
  async #put(pictures) {
    if (pictures.length === 0) return [];
    const width = this.#selfTest.length;
    const features = new Float32Array(pictures.length * width);
    pictures.forEach((picture, i) => features.set(picture.features, i * width));
    const entries = pictures.map(({ id, class: key }) => ({ id, class: key }));
    await this.#call('add', { entries, features }, undefined, [features.buffer]);
    this.#changed();
    return pictures.map(({ features: _, ...picture }) => {
      this.#pictures.set(picture.id, picture);
      return this.#shown(picture);
    });
  }

  /** @param {number[]} ids */
  async #drop(ids) {
    await this.#store?.remove(ids);
    await this.#call('remove', { ids });
    for (const id of ids) this.#pictures.delete(id);
    this.#changed();
  }

  #changed() {
    this.#stale = true;
    this.#classifier = undefined;
  }

  // --- Classifiers ---

  /** Keys of the classes, each of which has a picture. */
  #keys() {
    const empty = this.classes.find(({ examples }) => examples === 0);
    if (this.#classes.length < 2 || empty) {
      const found = empty ? 'A class has no picture' : `There is ${this.#classes.length} class`;
      throw new GGhostError(
        'bad-option',
        `${found}, expected two or more with one each: add pictures, or remove the class.`,
      );
    }
    return this.#classes.map(({ key }) => key);
  }

  /**
   * A report of what is taught now.
   * @param {'means' | 'ridge'} [method]
   * @param {(progress: { done: number, total: number }) => void} [onProgress]
   * @param {AbortSignal} [signal]
   * @returns {Promise<Judged>}
   */
  #fitted(method, onProgress = () => {}, signal) {
    return this.#change(async () => {
      if (this.#judged && !this.#stale && (method ?? this.#judged.method) === this.#judged.method) return this.#judged;
      const judged = await this.#worked('study', { classes: this.#keys(), method }, onProgress, signal);
      this.#judged = judged;
      this.#classifier = judged.classifier;
      this.#stale = false;
      return judged;
    });
  }

  /** A classifier of what is taught now, with the temperature of the last report. @param {AbortSignal} [signal] */
  async #latest(signal) {
    if (!this.#judged || this.#judged.classes.length !== this.#classes.length)
      await this.#fitted(undefined, undefined, signal);
    const judged = /** @type {Judged} */ (this.#judged);
    this.#classifier ??= await this.#call(
      'fit',
      { classes: this.#keys(), penalty: judged.penalty ?? USUAL_PENALTY },
      signal,
    );
    return { judged, numbers: /** @type {Float64Array} */ (this.#classifier) };
  }

  /**
   * A call that takes long, is told about, and can be called off.
   * @param {'study' | 'curve'} method
   * @param {object} request
   * @param {(progress: { done: number, total: number }) => void} onProgress
   * @param {AbortSignal} [signal]
   */
  async #worked(method, request, onProgress, signal) {
    this.#check(signal);
    const cancel = () => this.#host.call('cancel', { of: method }).catch(() => {});
    signal?.addEventListener('abort', cancel);
    this.#told[method] = (part) => onProgress({ done: part, total: 1 });
    try {
      return await this.#call(method, request, signal);
    } finally {
      this.#told[method] = undefined;
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** @param {Judged} judged */
  #written({ classifier, temperature, known }) {
    const labels = this.#classes.map(({ label }) => label);
    return { model: this.#net.model, classifier, said: { labels, temperature, known } };
  }

  /** @param {Judged} judged @returns {Lesson} */
  #lesson({ ids, predicted, own, confusion, classes, classifier: _, penalty, known, rejection, ...judged }) {
    const labels = this.#classes.map(({ label }) => label);
    const pictures = ids.map((id, i) => ({
      ...this.#shown(/** @type {Picture} */ (this.#pictures.get(id))),
      predicted: labels[predicted[i]],
      probability: own[i],
    }));
    const seen = pictures.filter(({ probability }) => !Number.isNaN(probability));
    return {
      ...judged,
      ...(penalty !== null && { penalty }),
      ...(known && { known }),
      ...(rejection && { rejection }),
      classes: classes.map((one, i) => ({ label: labels[i], ...one })),
      confusion: labels.map((_, i) => Array.from(confusion.subarray(i * labels.length, (i + 1) * labels.length))),
      examples: seen,
      hardest: [...seen].sort((a, b) => a.probability - b.probability),
    };
  }

  // --- Calls ---

  /** @param {Picture} picture @returns {Example} */
  #shown({ id, class: key, name, thumbnail }) {
    const label = this.#classes.find((one) => one.key === key)?.label ?? null;
    return { id, label, ...(name && { name }), ...(thumbnail && { thumbnail }) };
  }

  /** @param {string} label */
  #classOf(label) {
    const found = this.#classes.find((one) => one.label === label);
    if (!found) throw new GGhostError('bad-option', `There is no class ${shown(label)}: add it by addClass.`);
    return found;
  }

  /** @param {string} label */
  #checkNew(label) {
    if (typeof label !== 'string' || label.trim() === '') throw badOption('label', label, ['a text']);
    if (this.#classes.some((one) => one.label === label))
      throw new GGhostError('bad-option', `There is a class ${shown(label)} already: choose another label.`);
  }

  /** @param {AbortSignal} [signal] */
  #check(signal) {
    throwIfAborted(this.#closing.signal);
    throwIfAborted(signal);
  }

  /**
   * Changes take turns.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #change(work) {
    const turn = this.#queue.then(() => {
      this.#check();
      return work();
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /**
   * @param {string} method
   * @param {object} [argument]
   * @param {AbortSignal} [signal]
   * @param {Transferable[]} [transfer]
   */
  async #call(method, argument, signal, transfer) {
    this.#check(signal);
    try {
      return await untilAborted(this.#host.call(method, argument, transfer), [signal, this.#closing.signal]);
    } catch (error) {
      throw asError(error);
    }
  }
}

/** A list in groups. @param {any} list @param {number} size */
async function* groupsOf(list, size) {
  let group = [];
  for await (const one of list) {
    group.push(one);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length) yield group;
}

/** What shows something else in a moment, as it is now. @param {ImageInput} picture @returns {Promise<ImageInput>} */
async function stillOf(picture) {
  const brand = brandOf(picture);
  return brand === 'HTMLVideoElement' || brand === 'VideoFrame'
    ? createImageBitmap(/** @type {HTMLVideoElement} */ (picture))
    : picture;
}

/**
 * A small picture, at most so many pixels long; nothing where the host makes none.
 * @param {any} picture
 * @param {number} side
 * @returns {Promise<Blob | undefined>}
 */
async function thumbnailOf(picture, side) {
  if (typeof createImageBitmap !== 'function' || typeof OffscreenCanvas !== 'function') return undefined;
  try {
    const whole = await createImageBitmap(picture, { imageOrientation: 'from-image' });
    const scale = Math.min(1, side / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(Math.ceil(whole.width * scale), Math.ceil(whole.height * scale));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.imageSmoothingQuality = 'high';
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    whole.close();
    return await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 });
  } catch {
    return undefined; // the library reads more kinds of pictures than the browser
  }
}
