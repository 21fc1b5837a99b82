/**
 * @file Whether an engine computes rightly on this device: held against the logits that the model file has, and against
 * another engine. Fetched when it is asked for.
 */

/**
 * Largest difference that rounding explains, of a map's largest value. Each engine may be off by 1e-4 in f32. In f16
 * each of up to 200 steps rounds its weights and its outputs by 2^-11, which adds up as a random walk does:
 * sqrt(400) * 2^-11.
 */
const tolerances = { f32: 2e-4, f16: 1e-2 };

/**
 * Runs the same noise through two nets of one model and compares the end of every stage and the logits; these also
 * with those of the model file, where it has some.
 * @returns {Promise<{ passed: boolean, worstError: number }>} the error is a part of the largest value
 */
export async function compare(gpu, wasm, precision) {
  const { input, stages, golden } = wasm.info;
  const data = noise(3 * input.side ** 2);
  const taps = [...stages.map(({ blocks }) => blocks.at(-1)), 'logits'];
  const outputs = [];
  for (const net of [gpu, wasm]) {
    const output = await net.forward(data, 1, input.side, input.side, taps);
    outputs.push(taps.map((_, i) => output.tap(i)));
    output.free();
  }
  const errors = outputs[1].map((expected, i) => errorOf(outputs[0][i], expected));
  if (golden) errors.push(errorOf(outputs[0].at(-1), golden));
  return verdict(errors, precision);
}

/**
 * The logits of the same noise against those that the training code computed from the same weights.
 * @returns {Promise<{ passed: boolean, worstError: number }>}
 */
export async function compareWithGolden(net, precision) {
  const { input, golden } = net.info;
  const output = await net.forward(noise(3 * input.side ** 2), 1, input.side, input.side, []);
  const logits = output.logits();
  output.free();
  return verdict([errorOf(logits, golden)], precision);
}

function verdict(errors, precision) {
  const worstError = Math.max(...errors);
  return { passed: worstError <= tolerances[precision], worstError };
}

/** Of the largest value; what is no number is infinitely wrong. */
function errorOf(found, expected) {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return expected.reduce((worst, value, i) => {
    const error = Math.abs(found[i] - value) / largest;
    return Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }, 0);
}

/** Numbers in -2 to 2, the same every time. */
function noise(count) {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 30 - 2;
  });
}
