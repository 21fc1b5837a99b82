// What both engines of a benchmark are given and must answer.
const floats = async (url) => new Float32Array(await (await fetch(url)).arrayBuffer());

export async function fetchInput(variant) {
  const [data, expected] = await Promise.all(['in', 'out'].map((part) => floats(`/models/${variant}.${part}.f32`)));
  return { data, expected, side: Math.sqrt(data.length / 3) };
}

/** Largest error of logits relative to the largest logit. */
export function errorOf(logits, expected) {
  let error = 0;
  let absmax = 0;
  expected.forEach((want, i) => {
    error = Math.max(error, Math.abs(logits[i] - want));
    absmax = Math.max(absmax, Math.abs(want));
  });
  return error / absmax;
}
