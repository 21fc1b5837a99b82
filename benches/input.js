// What both engines of a benchmark are given, and what they must answer: `window.input`, `side` and `expected`.
const floats = async (url) => new Float32Array(await (await fetch(url)).arrayBuffer());

export async function fetchInput(variant) {
  window.input = await floats(`/models/${variant}.in.f32`);
  window.expected = await floats(`/models/${variant}.out.f32`);
  window.side = Math.sqrt(window.input.length / 3);
}

/** Largest error of logits relative to the largest logit. */
export function errorOf(logits) {
  let error = 0;
  let absmax = 0;
  window.expected.forEach((want, i) => {
    error = Math.max(error, Math.abs(logits[i] - want));
    absmax = Math.max(absmax, Math.abs(want));
  });
  return error / absmax;
}
