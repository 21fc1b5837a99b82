// Graphics cards as tests want them: devices that are lost or refused, software that passes for a card, and slow ones.

const devices = [];
const { requestDevice } = GPUAdapter.prototype;
let refused = false;
GPUAdapter.prototype.requestDevice = async function (...given) {
  if (refused) throw new DOMException('refused by the test', 'OperationError');
  devices.push(await requestDevice.apply(this, given));
  return devices.at(-1);
};

/** The newest device is gone. */
export const lose = () => devices.at(-1).destroy();

/** From now on a page gets no device, or gets one again. */
export const refuse = (value) => (refused = value);

/** What nobody caught. */
export const unhandled = [];
addEventListener('unhandledrejection', ({ reason }) => unhandled.push(String(reason)));

/** A card in software is taken for a real one. */
export const passOff = () => Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });

/**
 * Makes an engine slow by the clock alone: a minute passes for each call of `slow.backend`.
 * @param {string} flavour of the CPU engine
 */
export async function slowEngines(flavour) {
  const slow = { backend: undefined };
  const now = performance.now.bind(performance);
  let passed = 0;
  performance.now = () => now() + passed;
  const { Net } = await import(`/wasm/${flavour}/g_ghostnet.js`);
  const { GpuNet } = await import('/wasm/webgpu/g_ghostnet.js');
  for (const [backend, { prototype }] of [
    ['wasm', Net],
    ['webgpu', GpuNet],
  ]) {
    const { forward } = prototype;
    prototype.forward = function (...given) {
      if (backend === slow.backend) passed += 60e3;
      return forward.apply(this, given);
    };
  }
  return slow;
}
