// `navigator.gpu` in Node from Dawn (the npm package `webgpu`), as both engines want it. DAWN_FLAGS: Dawn's options.
import { create, globals } from './node_modules/webgpu/index.js';

Object.assign(globalThis, globals);
export const gpu = create((process.env.DAWN_FLAGS ?? '').split(' ').filter(Boolean));
const navigator = { gpu, userAgent: 'node', hardwareConcurrency: 4 };
Object.defineProperty(globalThis, 'navigator', { configurable: true, value: navigator });

// Dawn in Node takes no view of a SharedArrayBuffer, which ONNX Runtime's memory is.
const queue = globals.GPUQueue.prototype;
const write = queue.writeBuffer;
queue.writeBuffer = function writeBuffer(buffer, offset, data, from = 0, size = undefined) {
  if (!((data.buffer ?? data) instanceof SharedArrayBuffer)) {
    return size === undefined
      ? write.call(this, buffer, offset, data, from)
      : write.call(this, buffer, offset, data, from, size);
  }
  const view = data.buffer ? data : new Uint8Array(data);
  const unit = view.BYTES_PER_ELEMENT ?? 1;
  const bytes = (size ?? view.byteLength / unit - from) * unit;
  const copy = new Uint8Array(new Uint8Array(view.buffer, view.byteOffset + from * unit, bytes));
  return write.call(this, buffer, offset, copy, 0, copy.length);
};

/** What the adapter says of itself. */
export async function describe() {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('Dawn found no adapter');
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } =
    adapter.info;
  const { subgroupMatrixConfigs } = adapter.info;
  const info = { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter };
  return { ...info, subgroupMatrixConfigs, features: [...adapter.features] };
}
