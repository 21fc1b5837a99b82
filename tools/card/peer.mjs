// One engine with one network on Dawn, for the length of a comparison. Lines of JSON: first what it is, then for each
// line `{"batch": N, "runs": N, "seconds": S}` on standard input its times and how far its logits are from the CPU's.
//   node peer.mjs ours FOLDER VARIANT SIDE f32|f16
//   node peer.mjs onnxruntime FOLDER VARIANT SIDE f32|f16 NHWC|NCHW
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { describe } from './shim.mjs';

const [engine, folder, variant, side, precision, layout] = process.argv.slice(2);
const file = (end) => path.join(folder, `${variant}.${end}`);
const floats = (end) => new Float32Array(new Uint8Array(readFileSync(file(end))).buffer);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** @returns {Promise<(data: Float32Array, batch: number) => Promise<Float32Array>>} */
async function ours() {
  // wgpu looks for Window or WorkerGlobalScope; ONNX Runtime must not see it.
  globalThis.WorkerGlobalScope ??= function WorkerGlobalScope() {};
  const { load } = await import('./node_modules/g-ghostnet/lib/node.js');
  const model = pathToFileURL(file('safetensors')).href;
  const net = await load({ backend: 'webgpu', precision, model, flavour: 'fixed', cache: false });
  if (net.info.backend !== 'webgpu' || net.info.precision !== precision) {
    throw new Error(`runs on ${net.info.backend} in ${net.info.precision}, expected webgpu in ${precision}`);
  }
  return async (data, batch) => (await net.forward({ data, dims: [batch, 3, +side, +side] })).logits;
}

async function onnxruntime() {
  const ort = await import('./node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs');
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const model = new Uint8Array(readFileSync(file(precision === 'f16' ? 'f16.onnx' : 'onnx')));
  const executionProviders = [{ name: 'webgpu', preferredLayout: layout }];
  const session = await ort.InferenceSession.create(model, { executionProviders });
  return async (data, batch) => {
    const input = new ort.Tensor('float32', data, [batch, 3, +side, +side]);
    return (await session.run({ input })).logits.data;
  };
}

const adapter = await describe();
let begin = performance.now();
const run = await (engine === 'ours' ? ours : onnxruntime)();
const [image, expected] = [floats('in.f32'), floats('out.f32')];
const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
say({ ready: engine, precision, layout, milliseconds: performance.now() - begin, adapter });

for await (const line of createInterface({ input: process.stdin })) {
  const { batch, runs, seconds } = JSON.parse(line);
  const data = new Float32Array(image.length * batch);
  for (let i = 0; i < batch; i++) data.set(image, i * image.length);
  begin = performance.now();
  let logits = await run(data, batch);
  const first = performance.now() - begin;
  const times = [];
  const warm = Math.min(5, runs - 1);
  const end = performance.now() + 1e3 * seconds;
  while (times.length < warm + runs && (times.length < warm + 1 || performance.now() < end)) {
    begin = performance.now();
    logits = await run(data, batch);
    times.push(performance.now() - begin);
  }
  const error = logits.reduce((most, value, i) => {
    const difference = Math.abs(value - expected[i % expected.length]) / largest;
    return Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }, 0);
  const sorted = times.slice(warm).sort((a, b) => a - b);
  const complete = logits.length === batch * expected.length;
  const [median, fastest] = [sorted[sorted.length >> 1], sorted[0]];
  say({ batch, first, median, fastest, runs: sorted.length, error: complete ? error : 'wrong number of logits' });
}
process.exit(0);
