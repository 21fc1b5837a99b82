// Breaks WebGPU in a realm, in one way at a time, as often as it is told: { fault, times } over the channel `faults`,
// which answers when that is done. The card in software passes for a fast one, so that `backend: 'auto'` takes it.
let armed = { fault: undefined, times: 0 };
const devices = [];

/** Whether this fault happens now. */
function strikes(fault) {
  if (armed.fault !== fault || armed.times === 0) return false;
  armed.times -= 1;
  return true;
}

function wrap(prototype, name, wrapper) {
  const original = prototype[name];
  prototype[name] = function (...given) {
    return wrapper.call(this, (...changed) => original.apply(this, changed.length ? changed : given), ...given);
  };
}

const refused = () => new DOMException('refused by the test', 'OperationError');

wrap(GPU.prototype, 'requestAdapter', async (go) => (strikes('no adapter') ? null : go()));
wrap(GPUAdapter.prototype, 'requestDevice', async (go) => {
  if (strikes('no device')) throw refused();
  devices.push(await go());
  return devices.at(-1);
});
wrap(GPUDevice.prototype, 'createComputePipeline', function (go) {
  if (strikes('lost while compiling')) this.destroy();
  return go();
});
wrap(GPUQueue.prototype, 'submit', (go) => {
  go();
  if (strikes('lost while running')) devices.at(-1).destroy();
});
wrap(GPUDevice.prototype, 'createShaderModule', (go, descriptor) =>
  strikes('bad shader') ? go({ ...descriptor, code: '@compute fn main( {' }) : go(),
);
wrap(GPUBuffer.prototype, 'mapAsync', (go) => (strikes('no reading') ? Promise.reject(refused()) : go()));

const scopes = new WeakMap();
wrap(GPUDevice.prototype, 'pushErrorScope', function (go, filter) {
  scopes.set(this, [...(scopes.get(this) ?? []), filter]);
  return go();
});
wrap(GPUDevice.prototype, 'popErrorScope', function (go) {
  const filter = scopes.get(this).pop();
  if (filter === 'out-of-memory' && strikes('no memory'))
    return go().then(() => new GPUOutOfMemoryError('by the test'));
  if (filter === 'validation' && strikes('bad command')) return go().then(() => new GPUValidationError('by the test'));
  return go();
});

const { get } = Object.getOwnPropertyDescriptor(GPUSupportedLimits.prototype, 'maxStorageBufferBindingSize');
Object.defineProperty(GPUSupportedLimits.prototype, 'maxStorageBufferBindingSize', {
  get() {
    return armed.fault === 'small limits' ? 2 ** 16 : get.call(this);
  },
});

// Only to the library: the engine itself knows what it runs on, and takes the kernels for it.
const { get: isFallbackAdapter } = Object.getOwnPropertyDescriptor(GPUAdapterInfo.prototype, 'isFallbackAdapter');
Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', {
  get() {
    return new Error().stack.includes('g_ghostnet.js') && isFallbackAdapter.call(this);
  },
});
// The processor is slow by the clock alone: a minute passes for each call.
const now = performance.now.bind(performance);
let passed = 0;
performance.now = () => now() + passed;
const { Net } = await import('/wasm/relaxed/g_ghostnet.js');
wrap(Net.prototype, 'forward', (go) => {
  passed += 60e3;
  return go();
});

const channel = new BroadcastChannel('faults');
channel.onmessage = ({ data }) => {
  if (data.ready) return;
  armed = data;
  if (armed.fault === 'lost between runs') devices.at(-1).destroy();
  channel.postMessage({ ready: true });
};
/** Arms a fault in this realm. */
export const arm = (fault, times) => (armed = { fault, times });
