/** @file The weights of the cheap operation, read from the model as the network uses them. */

const EPSILON = 1e-5; // of the batch norm, as in PyTorch
const sizes = { F32: 4, F16: 2, BF16: 2, F64: 8, I8: 1 };

async function open(file) {
  const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  return { file, start: 8 + length, tensors: JSON.parse(await file.slice(8, 8 + length).text()) };
}

async function tensor({ file, start, tensors }, name) {
  const key = Object.keys(tensors).find((key) => key === name || key.endsWith(`.${name}`));
  const { dtype, shape, data_offsets: [from, to] = [] } = tensors[key] ?? {};
  if (!sizes[dtype]) return undefined;
  const view = new DataView(await file.slice(start + from, start + to).arrayBuffer());
  const at = { I8: (i) => view.getInt8(i), F32: (i) => view.getFloat32(i * 4, true), F64: (i) => view.getFloat64(i * 8, true), F16: (i) => half(view.getUint16(i * 2, true)), BF16: (i) => brain(view.getUint16(i * 2, true)) }[dtype];
  return { data: Float32Array.from({ length: (to - from) / sizes[dtype] }, (_, i) => at(i)), dims: shape };
}

function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? (fraction ? Number.NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
const scratch = new DataView(new ArrayBuffer(4));
function brain(bits) {
  scratch.setUint32(0, bits * 65536);
  return scratch.getFloat32(0);
}

const known = new WeakMap();

/**
 * The weights of a stage's cheap operation, read once.
 * @param {Blob} model
 * @param {string} stage
 */
export function cheapWeights(model, stage) {
  const stages = known.get(model) ?? known.set(model, {}).get(model);
  return (stages[stage] ??= read(model, stage));
}

/**
 * `[ghost maps, maps read]`, with the batch norm or the scale of eight bits in it; filters larger than 1 x 1 count by
 * their length.
 * @returns {Promise<{ data: Float32Array, dims: [number, number], kernel: number } | undefined>}
 */
async function read(model, stage) {
  const file = await open(model);
  const names = ['cheap.0.weight', 'cheap.0.scale', 'cheap.1.weight', 'cheap.1.running_var'];
  const [weight, step, scale, variance] = await Promise.all(names.map((name) => tensor(file, `${stage}.${name}`)));
  if (!weight || !(step || variance)) return undefined;
  const [outputs, inputs, kernel = 1] = weight.dims;
  const area = weight.data.length / (outputs * inputs);
  const data = new Float32Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    const factor = step ? step.data[o] : (scale?.data[o] ?? 1) / Math.sqrt(variance.data[o] + EPSILON);
    for (let i = 0; i < inputs; i++) {
      const filter = weight.data.subarray((o * inputs + i) * area, (o * inputs + i + 1) * area);
      data[o * inputs + i] = factor * (area === 1 ? filter[0] : Math.hypot(...filter));
    }
  }
  return { data, dims: [outputs, inputs], kernel };
}
