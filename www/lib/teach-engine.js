/**
 * @file Classifiers made of pictures' features in the realm this is loaded in, with the part `teach`.
 */
import { GGhostError } from './errors.js';
import { parts } from './flavours.js';
import { methodsOf, startPart } from './module.js';
import { fileOf } from './reader.js';

/**
 * @typedef {{ id: number, class: number | null }} Entry a picture and the key of its class, null for a stranger
 *
 * @typedef {object} Judged what a classifier is worth, classes in the order that was given
 * @property {'means' | 'ridge'} method
 * @property {number | null} penalty
 * @property {import('./teach.d.ts').Counted} accuracy
 * @property {{ examples: number, recall: import('./teach.d.ts').Counted, precision: import('./teach.d.ts').Counted }[]
 *   } classes
 * @property {number} temperature
 * @property {NonNullable<import('./index.d.ts').Info['known']> | null} known
 * @property {{ auroc: number, passed: import('./teach.d.ts').Counted } | null} rejection
 * @property {Uint32Array} confusion `[class, told class]`
 * @property {number[]} ids of the pictures
 * @property {Uint32Array} predicted the class that each is told to be of
 * @property {Float64Array} own the probability of its own class; NaN of one that is not judged
 * @property {Float64Array} classifier weights, class by class, then biases
 *
 * @typedef {object} Written what is written into a model's file
 * @property {Blob} model
 * @property {Float64Array} classifier
 * @property {{ labels: string[], temperature: number, known?: object | null, golden?: number[] }} said
 * @property {number[]} [classes] keys of the classes, where the pictures are to be beside it
 * @property {Float32Array} [selfTest] features of the self-test's input
 * @property {(Blob | undefined)[]} [thumbnails] in the order of `order`
 */

/** So long a step may keep a call that is to be called off waiting, in milliseconds. */
const PATIENCE = 30;

/** Pictures and the module that computes. */
class Teaching {
  /** @type {any} */
  #glue;
  /** @type {any} */
  #lesson;
  #fetch;
  #onProgress;
  /** Pictures of classes, and strangers, in the lesson's order. @type {{ id: number, class: number }[]} */
  #entries = [];
  /** @type {number[]} */
  #strangers = [];
  /** How often each was called off. */
  #cancelled = { study: 0, curve: 0 };

  /** @param {{ fetch?: import('./download.js').Fetch, onProgress?: (progress: any) => void }} hooks */
  constructor({ fetch, onProgress = () => {} }) {
    this.#fetch = fetch;
    this.#onProgress = onProgress;
  }

  /** @param {import('./module.js').Places & { width: number }} places `width`: how many features a picture has */
  async open({ width, ...places }) {
    this.#glue = await startPart(parts.teach, places, { fetch: this.#fetch });
    this.#lesson = new this.#glue.Lesson(width);
  }

  /** @param {{ entries: Entry[], features: Float32Array }} pictures `[pictures, features]` */
  add({ entries, features }) {
    const width = features.length / entries.length;
    entries.forEach((entry, i) => {
      const row = features.subarray(i * width, (i + 1) * width);
      // Which class it is of is said when a classifier is made.
      this.#lesson.add(row, entry.class === null ? undefined : 0);
      if (entry.class === null) this.#strangers.push(entry.id);
      else this.#entries.push({ id: entry.id, class: entry.class });
    });
  }

  /** @param {{ ids: number[] }} pictures */
  remove({ ids }) {
    const gone = new Set(ids);
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      if (!gone.has(this.#entries[i].id)) continue;
      this.#lesson.remove(i);
      this.#entries.splice(i, 1);
    }
    for (let i = this.#strangers.length - 1; i >= 0; i--) {
      if (!gone.has(this.#strangers[i])) continue;
      this.#lesson.removeStranger(i);
      this.#strangers.splice(i, 1);
    }
  }

  /** Gives a picture another class. @param {{ id: number, to: number | null }} request `to`: the class's key */
  move({ id, to }) {
    const i = this.#entries.findIndex((entry) => entry.id === id);
    if (i >= 0 && to !== null) {
      this.#entries[i].class = to;
      return;
    }
    const features = i >= 0 ? this.#lesson.features(i) : this.#lesson.strangerFeatures(this.#strangers.indexOf(id));
    this.remove({ ids: [id] });
    this.add({ entries: [{ id, class: to }], features });
  }

  /** A classifier at once. @param {{ classes: number[], penalty: number }} request keys of the classes */
  fit({ classes, penalty }) {
    this.#order(classes);
    return this.#lesson.fit(classes.length, this.#lesson.usesMeans(classes.length), penalty);
  }

  /** @param {{ classes: number[], method?: 'means' | 'ridge' }} request @returns {Promise<Judged>} */
  async study({ classes, method }) {
    this.#order(classes);
    const ids = this.#entries.map(({ id }) => id);
    const onPart = (/** @type {number} */ part) => this.#onProgress({ of: 'study', part });
    const report = await this.#studied(this.#lesson, classes, method, { of: 'study', onPart });
    const judged = {
      ...JSON.parse(report.summary()),
      confusion: report.confusion(),
      ids,
      predicted: report.predicted(),
      own: report.own(),
      classifier: report.classifier(),
    };
    report.free();
    return judged;
  }

  /**
   * Accuracy with fewer pictures of each class, drawn several times.
   * @param {{ classes: number[], method?: 'means' | 'ridge', sizes: number[], draws: number }} request
   * @returns {Promise<{ examples: number, accuracies: number[] }[]>}
   */
  async curve({ classes, method, sizes, draws }) {
    this.#order(classes);
    // As they are now: meanwhile others may come.
    const all = this.#lesson.drawn(this.#entries.length, 0);
    const points = [];
    try {
      for (const [i, examples] of sizes.entries()) {
        const accuracies = [];
        for (let draw = 0; draw < draws; draw++) {
          const onPart = (/** @type {number} */ done) =>
            this.#onProgress({ of: 'curve', part: (i + (draw + done) / draws) / sizes.length });
          const lesson = all.drawn(examples, draw + 1);
          try {
            const report = await this.#studied(lesson, classes, method, { of: 'curve', onPart });
            accuracies.push(JSON.parse(report.summary()).accuracy.share);
            report.free();
          } finally {
            lesson.free();
          }
        }
        points.push({ examples, accuracies });
      }
    } finally {
      all.free();
    }
    return points;
  }

  /** Calls off what is under way. @param {{ of: 'study' | 'curve' }} what */
  cancel({ of }) {
    this.#cancelled[of] += 1;
  }

  /** Pictures in the order in which they are written. */
  order() {
    return [...this.#entries.map(({ id }) => id), ...this.#strangers];
  }

  /** A model's file with another classifier. @param {Written} what @returns {Promise<Blob>} */
  async write({ model, classifier, said, classes, selfTest, thumbnails = [] }) {
    if (classes) this.#order(classes);
    const some = thumbnails.some(Boolean) ? thumbnails : [];
    const pictures = new Blob(some.map((thumbnail) => thumbnail ?? new Blob()));
    let end = 0;
    const ends = Float64Array.from(some, (thumbnail) => (end += thumbnail?.size ?? 0));
    const bytes = new Uint8Array(await pictures.arrayBuffer());
    const beginning = await beginningOf(model);
    const made = this.#lesson.model(
      beginning,
      model.size,
      classifier,
      JSON.stringify(said),
      classes && selfTest,
      bytes,
      ends,
    );
    try {
      return await fileOf(made, model);
    } finally {
      made.free();
    }
  }

  /**
   * The pictures that a model's file has beside it; nothing where it has none.
   * @param {{ file: Blob }} request
   */
  async read({ file }) {
    const { labels, parts } = JSON.parse(this.#glue.taughtFile(await beginningOf(file), file.size));
    if (!parts.features) return undefined;
    const bytes = (/** @type {string} */ name) => file.slice(...parts[name].place).arrayBuffer();
    const integers = async (/** @type {string} */ name) => Array.from(new BigInt64Array(await bytes(name)), Number);
    const classes = await integers('classes');
    const ends = parts.thumbnailEnds ? await integers('thumbnailEnds') : [];
    const begin = parts.thumbnails?.place[0];
    const thumbnails = ends.map((end, i) => {
      const from = i ? ends[i - 1] : 0;
      return end > from ? file.slice(begin + from, begin + end) : undefined;
    });
    const features = new Float32Array(await bytes('features'));
    if (features.length !== classes.length * parts.features.shape[1] || classes.some((one) => one >= labels?.length)) {
      const text = 'The pictures that this model was taught with do not fit each other: save it again.';
      throw new GGhostError('bad-model', text);
    }
    return { labels, classes, features, selfTest: new Float32Array(await bytes('selfTest')), thumbnails };
  }

  /** Says of which class each picture is: its place in a list of keys. @param {number[]} classes */
  #order(classes) {
    const places = new Map(classes.map((key, place) => [key, place]));
    this.#entries.forEach((entry, i) => this.#lesson.setClass(i, places.get(entry.class)));
  }

  /**
   * A report, step by step, so that it can be called off.
   * @param {any} lesson
   * @param {number[]} classes
   * @param {'means' | 'ridge' | undefined} method
   * @param {{ of: 'study' | 'curve', onPart: (part: number) => void }} work
   */
  async #studied(lesson, classes, method, { of, onPart }) {
    const cancelled = this.#cancelled[of];
    const means = method ? method === 'means' : lesson.usesMeans(classes.length);
    const study = lesson.study(classes.length, means);
    for (let part = 0, rested = performance.now(); part < 1;) {
      part = study.step();
      onPart(part);
      if (performance.now() - rested < PATIENCE) continue;
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
      if (cancelled !== this.#cancelled[of]) {
        study.free();
        throw new GGhostError('aborted', 'The call was aborted by its signal.');
      }
    }
    return study.finish();
  }
}

/** A safetensors file to the end of its header. @param {Blob} file */
async function beginningOf(file) {
  const length = new DataView(await file.slice(0, 8).arrayBuffer());
  const end = length.byteLength < 8 ? 0 : 8 + length.getUint32(0, true);
  return new Uint8Array(await file.slice(0, end || 8).arrayBuffer());
}

/** What a host calls. @param {{ fetch?: import('./download.js').Fetch, onProgress?: (progress: any) => void }} hooks */
export const teachMethods = (hooks) => methodsOf(new Teaching(hooks));
