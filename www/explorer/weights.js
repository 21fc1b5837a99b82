/** @file The weights of the cheap operation, read from a safetensors file as the network uses them. */

const EPSILON = 1e-5; // of the batch norm, as in PyTorch
const sizes = { F32: 4, F16: 2, BF16: 2, F64: 8 };

let opened = {};
/** The header of a model file, read once; undefined for other formats. */
async function open(key, read) {
  if (opened.key !== key) opened = { key, file: read().then(parse) };
  return opened.file;
}

async function parse(blob) {
  if (!blob) return undefined;
  const length = Number(new DataView(await blob.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  if (!(length > 1 && length < blob.size && length < 2 ** 24)) return undefined;
  const header = JSON.parse(await blob.slice(8, 8 + length).text());
  return { blob, header, start: 8 + length };
}

async function tensor({ blob, header, start }, name) {
  const key = Object.keys(header).find((key) => key === name || key.endsWith(`.${name}`));
  const { dtype, shape, data_offsets: [from, to] } = header[key] ?? {};
  if (!sizes[dtype]) return undefined;
  const view = new DataView(await blob.slice(start + from, start + to).arrayBuffer());
  const at = { F32: (i) => view.getFloat32(i * 4, true), F64: (i) => view.getFloat64(i * 8, true), F16: (i) => half(view.getUint16(i * 2, true)), BF16: (i) => brain(view.getUint16(i * 2, true)) }[dtype];
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

/**
 * `[ghost maps, maps read]`, with the batch norm in it; filters larger than 1 x 1 count by their length.
 * Undefined for a PyTorch file.
 * @returns {Promise<{ data: Float32Array, dims: [number, number], kernel: number } | undefined>}
 */
export async function cheapWeights({ file, model, models }, stage) {
  const name = model || models?.[0]?.file;
  const read = file ? async () => (file.name.endsWith('.safetensors') ? file : undefined) : async () => (await fetch(new URL(`models/${name}`, document.baseURI))).blob();
  if (!file && !name) return undefined;
  const opened = await open(file ?? name, read);
  if (!opened) return undefined;
  const [weight, scale, variance] = await Promise.all(['cheap.0.weight', 'cheap.1.weight', 'cheap.1.running_var'].map((part) => tensor(opened, `${stage}.${part}`)));
  if (!weight || !variance) return undefined;
  const [outputs, inputs, kernel = 1] = weight.dims;
  const area = weight.data.length / (outputs * inputs);
  const data = new Float32Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    const factor = (scale?.data[o] ?? 1) / Math.sqrt(variance.data[o] + EPSILON);
    for (let i = 0; i < inputs; i++) {
      const filter = weight.data.subarray((o * inputs + i) * area, (o * inputs + i + 1) * area);
      data[o * inputs + i] = factor * (area === 1 ? filter[0] : Math.hypot(...filter));
    }
  }
  return { data, dims: [outputs, inputs], kernel };
}
