// What ./build.sh soak runs in a page: calls to nets on both engines, whose answers are compared with the first ones.

const KINDS = ['url', 'blob', 'canvas', 'pixels'];

/** Failures after which a round ends. */
const ENOUGH = 10;

/** The devices that pages ask for from now on, the newest last. */
function watchDevices() {
  const { requestDevice } = GPUAdapter.prototype;
  const devices = [];
  GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    devices.splice(0, devices.length, device);
    return device;
  };
  return devices;
}

/** A picture in every form. */
async function formsOf(url) {
  const blob = await (await fetch(url)).blob();
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  return { url, blob, canvas, pixels: context.getImageData(0, 0, bitmap.width, bitmap.height) };
}

const textOf = (top) => JSON.stringify(top.map(({ index, probability }) => [index, probability]));

export class Soak {
  #devices = watchDevices();
  #inputs;
  #nets;
  #options;
  /** The first answer to each picture, by who gave it and in which form it was. */
  #first = new Map();
  #counts = { calls: 0, webgpu: 0, losses: 0, bad: 0 };
  #failures = [];

  /**
   * @param {string[]} pictures their addresses
   * @param {{ model: string, gpuPart: number, agreement: number, lossEvery: number }} options which part of the calls
   *   goes to WebGPU, by how much probabilities of the engines may differ, and how often a device is lost
   */
  static async open(pictures, options) {
    const { load } = await import('/lib/index.js');
    const soak = new Soak();
    soak.#options = options;
    const { model } = options;
    const [wasm, worker] = await Promise.all([false, true].map((worker) => load({ model, backend: 'wasm', worker })));
    soak.#nets = { wasm, worker };
    if (options.gpuPart > 0) soak.#nets.webgpu = await load({ model, backend: 'webgpu', worker: false });
    soak.#inputs = await Promise.all(pictures.map(formsOf));
    return soak;
  }

  /** So many calls more. */
  async run(times) {
    for (let i = 0; i < times && this.#failures.length < ENOUGH; i++) await this.#call(this.#counts.calls++);
    const bytes = Object.values(this.#nets).reduce((sum, net) => sum + net.info.memoryBytes, 0);
    return { failures: this.#failures.splice(0), counts: this.#counts, bytes };
  }

  async #call(call) {
    const input = this.#inputs[call % this.#inputs.length];
    const kind = KINDS[Math.floor(call / this.#inputs.length) % KINDS.length];
    // Spread evenly: call n goes to the GPU where the part of n calls steps to its next whole number.
    const { gpuPart, lossEvery } = this.#options;
    const onGpu = Math.floor((call + 1) * gpuPart) > Math.floor(call * gpuPart);
    const engine = onGpu ? 'webgpu' : call % 3 === 0 ? 'worker' : 'wasm';
    if (call % 50 === 49) await this.#badFile(call, engine);
    if (onGpu && this.#counts.webgpu++ % lossEvery === lossEvery - 1) {
      this.#devices.at(-1).destroy();
      this.#counts.losses++;
    }
    try {
      const { top, backend } = await this.#nets[engine].classify(input[kind]);
      if (backend !== (onGpu ? 'webgpu' : 'wasm')) this.#failures.push(`call ${call} ran on ${backend}`);
      this.#compare(top, backend, kind, input.url, call);
    } catch (error) {
      this.#failures.push(`call ${call}, ${engine}, ${kind} of ${input.url}: ${error.code}: ${error.message}`);
    }
  }

  async #badFile(call, engine) {
    this.#counts.bad++;
    const answer = this.#nets[engine].classify(new Blob([new Uint8Array(100)]));
    const code = await answer.then(
      () => 'an answer',
      ({ code }) => code,
    );
    if (code !== 'bad-image') this.#failures.push(`call ${call}: a file of zeros got ${code}`);
  }

  /** The same engine gives the same answer to the bit, and the other one nearly the same. */
  #compare(top, backend, kind, url, call) {
    const key = `${kind === 'url' || kind === 'blob' ? 'file' : 'pixels'} ${url}`;
    const before = this.#firstOf(`${backend} ${key}`, textOf(top));
    if (before !== textOf(top))
      this.#failures.push(`call ${call}, ${backend} ${key} as ${kind}: ${textOf(top)}, at first ${before}`);
    const [{ index, probability }] = this.#firstOf(key, top);
    const now = top.find((entry) => entry.index === index)?.probability ?? 0;
    if (!(Math.abs(now - probability) <= this.#options.agreement))
      this.#failures.push(`call ${call}, ${key}: ${backend} says ${now}, the other engine ${probability}`);
  }

  #firstOf(key, answer) {
    if (!this.#first.has(key)) this.#first.set(key, answer);
    return this.#first.get(key);
  }
}
