// The worker of wasm.html: both engines, called by messages [id, method, ...arguments] that are answered by
// [id, result] or [id, undefined, error].
import { startThreads } from '/lib/threads.js';

const floats = async (url) => new Float32Array(await (await fetch(url)).arrayBuffer());

let input, expected, side;
/** Largest error of logits relative to the largest logit. */
const errorOf = (logits) => {
  let error = 0, absmax = 0;
  expected.forEach((want, i) => {
    error = Math.max(error, Math.abs(logits[i] - want));
    absmax = Math.max(absmax, Math.abs(want));
  });
  return error / absmax;
};

let net, glue, exports, session, ort, tract;
const methods = {
  async prepare(variant) {
    input = await floats(`/models/${variant}.in.f32`);
    expected = await floats(`/models/${variant}.out.f32`);
    side = Math.sqrt(input.length / 3);
  },

  async loadOurs(flavour, file, threads) {
    net?.free();
    if (!glue) {
      glue = await import(`/wasm/${flavour}/g_ghostnet.js`);
      const module = await WebAssembly.compileStreaming(fetch(`/wasm/${flavour}/g_ghostnet_bg.wasm`));
      exports = await glue.default({ module_or_path: module });
      if (threads > 1) {
        const { reason } = await startThreads({ flavour, module, glue, count: threads - 1 });
        if (reason) throw new Error(reason);
      }
    }
    const bytes = new Uint8Array(await (await fetch(`/models/${file}.safetensors`)).arrayBuffer());
    const start = performance.now();
    const model = new glue.ModelBytes(bytes.length);
    model.write(bytes);
    net = await glue.Net.create(model, JSON.stringify({ backend: 'wasm', threads }));
    const loaded = performance.now();
    await methods.runOurs();
    const memory = (glue.sharedMemory?.() ?? exports.memory).buffer.byteLength;
    return { milliseconds: loaded - start, first: performance.now() - loaded, memory, ...JSON.parse(net.info()), labels: undefined, taps: undefined };
  },
  async runOurs() {
    const start = performance.now();
    const output = await net.forward(input, 1, side, side, []);
    const milliseconds = performance.now() - start;
    const error = errorOf(output.logits());
    output.free();
    return { milliseconds, error };
  },
  profileOurs: (runs) => JSON.parse(net.profile(input, side, side, runs)),
  peak: () => Math.max(...Array.from({ length: 60 }, () => glue.multiplyAddRate(400_000))),

  async loadOrt(variant, threads) {
    await session?.release();
    ort ??= await import('/node_modules/onnxruntime-web/dist/ort.wasm.mjs');
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = 'error';
    const start = performance.now();
    session = await ort.InferenceSession.create(`/models/${variant}.onnx`, { executionProviders: ['wasm'], graphOptimizationLevel: 'all' });
    return { milliseconds: performance.now() - start };
  },
  async runOrt() {
    const tensor = new ort.Tensor('float32', input, [1, 3, side, side]);
    const start = performance.now();
    const { logits } = await session.run({ input: tensor });
    return { milliseconds: performance.now() - start, error: errorOf(logits.data) };
  },

  async loadTract(variant) {
    if (!tract) {
      tract = await import('/tract/tract_peer.js');
      await tract.default();
    }
    const bytes = new Uint8Array(await (await fetch(`/models/${variant}.onnx`)).arrayBuffer());
    const start = performance.now();
    tract.load(bytes, side);
    return { milliseconds: performance.now() - start };
  },
  runTract() {
    const start = performance.now();
    const logits = tract.run(input);
    return { milliseconds: performance.now() - start, error: errorOf(logits) };
  },
};

addEventListener('message', async ({ data: [id, method, ...values] }) => {
  try {
    postMessage([id, await methods[method](...values)]);
  } catch (error) {
    postMessage([id, undefined, String(error?.stack ?? error)]);
  }
});
postMessage([0]);
