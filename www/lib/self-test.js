/**
 * @file Whether an engine computes rightly on this device: compared with the logits in the model file, and with
 * another engine. Fetched when it is asked for.
 */

/**
 * @typedef {import('./choice.js').Runner} Runner
 * @typedef {'f32' | 'f16' | 'int8'} Precision
 */

/**
 * Largest difference that rounding explains, of a map's largest value. Each engine may be off by 1e-4 in f32. In f16
 * each of up to 200 steps rounds its weights and its outputs by 2^-11, which adds up as a random walk does:
 * sqrt(400) * 2^-11. Integers are the same everywhere, but where the floats between them are added up in another order
 * an input may round the other way: off by one step of 127.
 */
const tolerances = { f32: 2e-4, f16: 1e-2, int8: 1 / 127 };

/**
 * Runs the same noise through two nets of one model and compares the end of every stage and the logits; these also
 * with those of the model file, where it has some.
 * @param {Runner} gpu
 * @param {Runner} wasm
 * @param {Precision} precision of the first
 * @returns {Promise<{ passed: boolean, worstError: number }>} the error is a part of the largest value
 */
export async function compare(gpu, wasm, precision) {
  const { input, stages, golden } = wasm.info;
  const data = noise(3 * input.side ** 2);
  const taps = [...stages.map(({ blocks }) => blocks[blocks.length - 1]), 'logits'];
  /** @type {Float32Array[][]} */
  const outputs = [];
  for (const net of [gpu, wasm]) {
    const output = await net.forward(data, 1, input.side, input.side, taps);
    outputs.push(taps.map((_, i) => output.tap(i)));
    output.free();
  }
  const errors = outputs[1].map((expected, i) => errorOf(outputs[0][i], expected));
  if (golden) errors.push(errorOf(outputs[0][taps.length - 1], golden));
  return verdict(errors, precision);
}

/**
 * The logits of the same noise against those that the training code computed from the same weights.
 * @param {Runner} net of a model that has them
 * @param {Precision} precision
 * @returns {Promise<{ passed: boolean, worstError: number }>}
 */
export async function compareWithGolden(net, precision) {
  const { input, golden } = net.info;
  const output = await net.forward(noise(3 * input.side ** 2), 1, input.side, input.side, []);
  const logits = output.logits();
  output.free();
  return verdict([errorOf(logits, /** @type {number[]} */ (golden))], precision);
}

/** @param {number[]} errors @param {Precision} precision */
function verdict(errors, precision) {
  const worstError = Math.max(...errors);
  return { passed: worstError <= tolerances[precision], worstError };
}

/**
 * Of the largest value; what is no number is infinitely wrong.
 * @param {ArrayLike<number>} found
 * @param {Float32Array | number[]} expected
 */
function errorOf(found, expected) {
  // Of both kinds it is the same, which TypeScript does not see.
  const values = /** @type {number[]} */ (expected);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return values.reduce((worst, value, i) => {
    const error = Math.abs(found[i] - value) / largest;
    return Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }, 0);
}

/** Numbers in -2 to 2, the same every time. @param {number} count */
export function noise(count) {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 30 - 2;
  });
}
