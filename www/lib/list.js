/**
 * @file A list of pictures on its way through a net: a few are read ahead, and each is let go when it is answered. A
 * graphics card gets several at once.
 */
import { caught, GGhostError, throwIfAborted } from './errors.js';
import { nameOf } from './image.js';

/** Pictures of a list that are read while another one is computed. */
const AHEAD = 4;

/** Pictures of a list that a graphics card computes at once. */
const BATCH = 8;

/** What is wrong with the engine or the call, not with one picture of a list. */
const ofTheCall = ['aborted', 'crashed', 'disposed', 'device-lost', 'gpu', 'out-of-memory', 'unknown-tap'];

/**
 * @typedef {import('./index.d.ts').FailedPicture} FailedPicture
 * @typedef {import('./index.d.ts').ImageInput} ImageInput
 * @typedef {import('./engine.js').Run} Run
 * @typedef {import('./engine.js').Tensor} Tensor
 * @typedef {import('./engine.js').Result} Result
 *
 * @typedef {object} Picture of a list
 * @property {number} index
 * @property {string} [name]
 * @property {Promise<Run>} reading
 * @property {Run} [input] what was read; absent where that failed
 */

/**
 * @template T
 * @typedef {object} Work what is done with each picture
 * @property {import('./index.d.ts').Backend} backend
 * @property {(picture: ImageInput) => Promise<Run>} read
 * @property {(input: Run) => Promise<Result>} run
 * @property {(result: Result) => T} answer
 * @property {'throw' | 'return'} errors
 * @property {AbortSignal} signal
 */

/** @template T */
class Stream {
  #work;
  #pictures;
  /** Pictures that were taken from the list. */
  #count = 0;
  #batch;
  /** @type {(T | FailedPicture)[]} */
  answers = [];

  /** @param {Iterator<ImageInput> | AsyncIterator<ImageInput>} pictures @param {Work<T>} work */
  constructor(pictures, work) {
    this.#pictures = pictures;
    this.#work = work;
    this.#batch = work.backend === 'webgpu' ? BATCH : 1;
  }

  /** One of those that go through the list beside each other. */
  async lane() {
    for (let group = await this.#next(); group.length > 0; group = await this.#next()) {
      await this.#read(group);
      await this.#run(group);
      throwIfAborted(this.#work.signal);
    }
  }

  /** The next pictures, of which the reading has begun. */
  async #next() {
    /** @type {Picture[]} */
    const group = [];
    while (group.length < this.#batch) {
      const index = this.#count++;
      // Without a wait where there is none: what the first pictures show is taken at the call.
      const step = this.#pictures.next();
      const { done, value } = 'then' in step ? await step : step;
      if (done) break;
      const reading = this.#work.read(value);
      reading.catch(() => {}); // said in its turn
      group.push({ index, name: nameOf(value), reading });
    }
    return group;
  }

  /** @param {Picture[]} group */
  async #read(group) {
    for (const picture of group) {
      try {
        picture.input = await picture.reading;
      } catch (error) {
        this.#fail(picture, error);
      }
    }
  }

  /** Inputs of the network together, where there are several, and the others one by one. @param {Picture[]} group */
  async #run(group) {
    const { run, answer } = this.#work;
    const several = group.flatMap(({ index, input }) => (input?.tensor ? [{ index, tensor: input.tensor }] : []));
    if (several.length > 1) {
      const result = await run({ tensor: joined(several.map(({ tensor }) => tensor)) });
      several.forEach(({ index, tensor }, i) => (this.answers[index] = answer(oneOf(result, i, tensor.timings))));
    }
    for (const picture of group) {
      if (!picture.input || (several.length > 1 && picture.input.tensor)) continue;
      try {
        this.answers[picture.index] = answer(await run(picture.input));
      } catch (error) {
        this.#fail(picture, error);
      }
    }
  }

  /** @param {Picture} picture @param {unknown} error */
  #fail({ index, name }, error) {
    if (ofTheCall.includes(caught(error).code ?? '')) throw error;
    const failed = { error: /** @type {GGhostError} */ (error), index, name };
    if (this.#work.errors === 'throw') throw named(failed);
    this.answers[index] = failed;
  }
}

/**
 * The answers to a list of pictures, in its order.
 * @template T
 * @param {import('./index.d.ts').ImageInputs} list
 * @param {Work<T>} work
 * @returns {Promise<(T | FailedPicture)[]>}
 */
export async function answersTo(list, work) {
  const pictures = Symbol.iterator in list ? list[Symbol.iterator]() : list[Symbol.asyncIterator]();
  const stream = new Stream(pictures, work);
  try {
    await Promise.all(Array.from({ length: work.backend === 'webgpu' ? 2 : AHEAD }, () => stream.lane()));
  } finally {
    // What is left of a generator is not wanted.
    Promise.resolve(pictures.return?.()).catch(() => {});
  }
  if (stream.answers.length === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
  return stream.answers;
}

/** The error of one picture of a list, with which one it is. @param {FailedPicture} failed */
function named({ error, index, name }) {
  const failure = new GGhostError(error.code, `Picture ${index + 1}${name ? ` (${name})` : ''}: ${error.message}`, {
    cause: error,
  });
  return Object.assign(failure, { index });
}

/** Inputs of one picture each as one of several. @param {NonNullable<Run['tensor']>[]} tensors */
function joined(tensors) {
  const [{ dims, data }] = tensors;
  const all = new Float32Array(tensors.length * data.length);
  tensors.forEach((tensor, i) => all.set(tensor.data, i * data.length));
  return { data: all, dims: [tensors.length, ...dims.slice(1)] };
}

/**
 * What was said of one of several pictures.
 * @param {Result} result
 * @param {number} i
 * @param {Tensor['timings']} [own] of the picture
 * @returns {Result}
 */
function oneOf({ probabilities, known, dims: [n, classes], taps, timings, ...result }, i, own) {
  const part = (/** @type {Result['taps'][number]} */ { name, dims: [, ...dims], data }) => {
    const size = data.length / n;
    return { name, dims: [1, ...dims], data: data.slice(i * size, (i + 1) * size) };
  };
  return {
    ...result,
    dims: [1, classes],
    probabilities: probabilities.subarray(i * classes, (i + 1) * classes),
    known: known?.subarray(i, i + 1),
    taps: taps.map(part),
    timings: { ...timings, ...own, forward: timings.forward / n },
  };
}
