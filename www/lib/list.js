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

/**
 * The answers to a list of pictures, in its order.
 * @template T
 * @param {import('./index.d.ts').ImageInputs} list
 * @param {Work<T>} work
 * @returns {Promise<(T | FailedPicture)[]>}
 */
export async function answersTo(list, work) {
  const { backend, read, signal } = work;
  const pictures = Symbol.iterator in list ? list[Symbol.iterator]() : list[Symbol.asyncIterator]();
  const [size, lanes] = backend === 'webgpu' ? [BATCH, 2] : [1, AHEAD];
  /** @type {(T | FailedPicture)[]} */
  const answers = [];
  let count = 0;
  const next = async () => {
    /** @type {Picture[]} */
    const group = [];
    while (group.length < size) {
      const index = count++;
      // Without a wait where there is none: what the first pictures show is taken at the call.
      const step = pictures.next();
      const { done, value } = 'then' in step ? await step : step;
      if (done) break;
      const reading = read(value);
      reading.catch(() => {}); // reported when its turn comes
      group.push({ index, name: nameOf(value), reading });
    }
    return group;
  };
  const lane = async () => {
    for (let group = await next(); group.length > 0; group = await next()) {
      await answerAll(group, work, answers);
      throwIfAborted(signal);
    }
  };
  try {
    await Promise.all(Array.from({ length: lanes }, lane));
  } finally {
    // What is left of a generator is not wanted.
    Promise.resolve(pictures.return?.()).catch(() => {});
  }
  if (answers.length === 0) throw new GGhostError('bad-image', 'The list of pictures is empty.');
  return answers;
}

/**
 * Computes pictures that are read side by side: inputs of the network together, where there are several, and the
 * others one by one.
 * @template T
 * @param {Picture[]} group
 * @param {Work<T>} work
 * @param {(T | FailedPicture)[]} answers
 */
async function answerAll(group, { run, answer, errors }, answers) {
  const attempt = async (/** @type {Picture} */ { index, name }, /** @type {() => Promise<void>} */ step) => {
    try {
      await step();
    } catch (error) {
      if (ofTheCall.includes(caught(error).code ?? '')) throw error;
      const failed = { error: /** @type {GGhostError} */ (error), index, name };
      if (errors === 'throw') throw named(failed);
      answers[index] = failed;
    }
  };
  for (const picture of group)
    await attempt(picture, async () => {
      picture.input = await picture.reading;
    });
  const several = group.flatMap(({ index, input }) => (input?.tensor ? [{ index, tensor: input.tensor }] : []));
  if (several.length > 1) {
    const result = await run({ tensor: joined(several.map(({ tensor }) => tensor)) });
    several.forEach(({ index, tensor }, i) => (answers[index] = answer(oneOf(result, i, tensor.timings))));
  }
  for (const picture of group) {
    const { index, input } = picture;
    if (!input || (several.length > 1 && input.tensor)) continue;
    await attempt(picture, async () => {
      answers[index] = answer(await run(input));
    });
  }
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
 * The result of one of several pictures.
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
