// The worker of wasm.html: both engines, called by messages [id, method, ...arguments] that are answered by
// [id, result] or [id, undefined, error].
import { startThreads } from '/lib/threads.js';
import { errorOf, fetchInput } from './input.js';

let input;
let net, glue, exports, session, ort, graph, tract, model;
const methods = {
  async prepare(variant) {
    input = await fetchInput(variant);
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
    net = new glue.Net(model, false, undefined, threads);
    const loaded = performance.now();
    await methods.runOurs();
    const memory = (glue.sharedMemory?.() ?? exports.memory).buffer.byteLength;
    return {
      milliseconds: loaded - start,
      first: performance.now() - loaded,
      memory,
      ...JSON.parse(net.info()),
      labels: undefined,
      taps: undefined,
    };
  },
  async runOurs() {
    const start = performance.now();
    const output = await net.forward(input.data, 1, input.side, input.side, []);
    const milliseconds = performance.now() - start;
    const error = errorOf(output.logits(), input.expected);
    output.free();
    return { milliseconds, error };
  },
  profileOurs: (runs) => JSON.parse(net.profile(input.data, input.side, input.side, runs)),
  /** Of one thread; `flavour` is one that measures. */
  async peak(flavour) {
    const meter = await import(`/wasm/${flavour}/g_ghostnet.js`);
    await meter.default();
    return Math.max(...Array.from({ length: 60 }, () => meter.multiplyAddRate(400_000)));
  },

  async loadOrt(variant, threads) {
    await session?.release();
    ort ??= await import('/node_modules/onnxruntime-web/dist/ort.wasm.mjs');
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = 'error';
    const start = performance.now();
    session = await ort.InferenceSession.create(`/models/${variant}.onnx`, {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
    });
    return { milliseconds: performance.now() - start };
  },
  async runOrt() {
    const tensor = new ort.Tensor('float32', input.data, [1, 3, input.side, input.side]);
    const start = performance.now();
    const { logits } = await session.run({ input: tensor });
    return { milliseconds: performance.now() - start, error: errorOf(logits.data, input.expected) };
  },

  async loadTensorflow(variant, threads) {
    const { loadGraph } = await import('/tensorflow/tensorflow.js');
    graph = await loadGraph(`/models/${variant}.graph.json`, threads);
  },
  async runTensorflow() {
    const start = performance.now();
    const logits = await graph(input.data, input.side);
    return { milliseconds: performance.now() - start, error: errorOf(logits, input.expected) };
  },

  async loadTract(variant) {
    tract ??= await import('/tract/tract_peer.js');
    await tract.default();
    model = new tract.Graph(new Uint8Array(await (await fetch(`/models/${variant}.onnx`)).arrayBuffer()), input.side);
  },
  async runTract() {
    const start = performance.now();
    const logits = model.run(input.data);
    return { milliseconds: performance.now() - start, error: errorOf(logits, input.expected) };
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
