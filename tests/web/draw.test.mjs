// Feature maps on a canvas: from WebGPU's memory and from WebAssembly's numbers, the same pixels.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { blankPages, inPage } from './support/blank.mjs';

blankPages({ webgpu: true });

for (const worker of [true, false]) {
  test(`both engines draw the same pixels, ${worker ? 'in a worker' : 'in place'}`, { timeout: 600e3 }, async () => {
    const { pictures, read } = await inPage(async ({ load }, codeOf, worker) => {
      const read = [];
      const { mapAsync } = GPUBuffer.prototype;
      GPUBuffer.prototype.mapAsync = function (mode, offset = 0, size = this.size - offset) {
        read.push(size);
        return mapAsync.call(this, mode, offset, size);
      };
      const nets = await Promise.all(['webgpu', 'wasm'].map((backend) => load({ backend, worker })));
      // With a picture of another size in between, and one map tapped by the call itself.
      for (const net of nets) {
        await net.features('/samples/cat.jpg', { taps: ['layer3.base'] });
      }
      read.length = 0;
      const some = { channels: [7, 0, 101], cell: 25, columns: 2, gap: 3, scale: 'all', colormap: 'grey' };
      const pictures = [];
      for (const options of [
        { tap: 'layer3.base', colormap: 'grey' },
        { tap: 'layer3.base', ...some },
        { tap: 'layer1.0', colormap: 'grey', columns: 8 },
        { tap: 'layer2.ghost', colormap: 'grey', scale: 'all', cell: 7 },
        { tap: 'layer3.base', colormap: 'grey' },
      ]) {
        const drawn = [];
        for (const net of nets) {
          const canvas = document.createElement('canvas');
          const { backend } = await net.drawFeature(canvas, options);
          const { width, height } = canvas;
          const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
          drawn.push({ backend, width, height, pixels });
        }
        const [gpu, wasm] = drawn;
        const counts = { pixels: wasm.pixels.length / 4, levels: new Set(wasm.pixels).size, off: 0, far: 0 };
        wasm.pixels.forEach((value, i) => {
          const error = Math.abs(value - gpu.pixels[i]);
          counts.off += error > 0;
          counts.far += error > 1;
        });
        pictures.push({
          options,
          size: drawn.map(({ backend, width, height }) => [backend, width, height]),
          ...counts,
        });
      }
      nets.forEach((net) => net.dispose());
      return { pictures, read };
    }, worker);
    for (const { options, size, pixels, levels, off, far } of pictures) {
      const name = JSON.stringify(options);
      assert.deepEqual(size[0].slice(1), size[1].slice(1), name);
      assert.deepEqual([size[0][0], size[1][0]], ['webgpu', 'wasm']);
      assert.ok(levels > 100, `${name}: ${levels} levels are no picture`);
      // Engines differ by 1e-4 of a map's range at most, so one pixel in a hundred or so falls on the other side of a step.
      assert.equal(far, 0, `${name}: ${far} of ${pixels} pixels are off by more than a level`);
      assert.ok(off < 0.1 * pixels, `${name}: ${off} of ${pixels} pixels are off`);
    }
    assert.deepEqual(pictures[1].size[0], ['webgpu', 56, 56]);
    // In a worker nothing is seen from here.
    if (!worker) {
      assert.ok(read.length >= 1, 'taps that were not there are computed');
      assert.ok(
        read.every((bytes) => bytes <= 16 * 10),
        `only the ten logits are read back: ${read} bytes`,
      );
    }
  });
}

test('every drawing is whole from the first on, on any canvas', { timeout: 600e3 }, async () => {
  const { different, kinds, code } = await inPage(async ({ load }) => {
    let different = 0;
    const pixelsOf = (canvas) => {
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
      copy.drawImage(canvas, 0, 0);
      return copy.getImageData(0, 0, canvas.width, canvas.height).data.join();
    };
    const options = { tap: 'layer2.base', cell: 11, columns: 9 };
    let expected;
    for (let i = 0; i < 2; i++) {
      const net = await load({ backend: 'webgpu', worker: i % 2 === 0 });
      await net.classify('/samples/cat.jpg');
      for (let k = 0; k < 4; k++) {
        const canvas = document.createElement('canvas');
        document.body.append(canvas);
        await net.drawFeature(canvas, options);
        const pixels = pixelsOf(canvas);
        expected ??= pixels;
        different += pixels !== expected;
      }
      net.dispose();
    }
    const net = await load({ backend: 'webgpu', worker: false });
    await net.classify('/samples/cat.jpg');
    const used = document.createElement('canvas');
    used.getContext('2d').fillRect(0, 0, 5, 5);
    const transferred = document.createElement('canvas');
    transferred.getContext('bitmaprenderer');
    const offscreen = new OffscreenCanvas(3, 3);
    const kinds = [];
    for (const canvas of [used, transferred, offscreen]) {
      await net.drawFeature(canvas, options);
      kinds.push(pixelsOf(canvas) === expected);
    }
    const other = document.createElement('canvas');
    other.getContext('webgl2');
    const code = await net.drawFeature(other, options).catch((error) => error.code);
    return { different, kinds, code };
  });
  assert.equal(different, 0);
  assert.deepEqual(kinds, [true, true, true]);
  assert.equal(code, 'unsupported');
});

test(
  'what cannot be drawn is said alike by both engines, and lost devices are made anew',
  { timeout: 600e3 },
  async () => {
    const answers = await inPage(async ({ load }) => {
      const devices = [];
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (...given) {
        devices.push(await requestDevice.apply(this, given));
        return devices.at(-1);
      };
      const answers = [];
      for (const backend of ['webgpu', 'wasm']) {
        const net = await load({ backend, worker: false });
        const canvas = document.createElement('canvas');
        const codeOf = (options) =>
          net.drawFeature(canvas, options).then(
            () => 'no error',
            (error) => error.code,
          );
        const codes = [await codeOf({ tap: 'layer1.0' })];
        await net.classify(['/samples/cat.jpg', '/samples/cat.jpg']);
        for (const options of [
          { tap: 'layer9' },
          {},
          { tap: 'layer1.0', channels: [1e6] },
          { tap: 'layer1.0', channels: [] },
          { tap: 'layer1.0', colormap: 'mauve' },
          { tap: 'layer1.0', scale: 'none' },
          { tap: 'layer1.0', cell: 1.5 },
        ])
          codes.push(await codeOf(options));
        devices.at(-1)?.destroy();
        codes.push(await codeOf({ tap: 'layer1.0', colormap: 'grey' }));
        const { width, height } = canvas;
        const levels = new Set(canvas.getContext('2d').getImageData(0, 0, width, height).data).size;
        answers.push({ codes, levels, backend: net.info.backend });
        net.dispose();
      }
      return answers;
    });
    const expected = ['unsupported', 'unknown-tap', 'unknown-tap', ...Array(5).fill('bad-option'), 'no error'];
    for (const [i, { codes, levels, backend }] of answers.entries()) {
      assert.deepEqual(codes, expected, backend);
      assert.equal(backend, ['webgpu', 'wasm'][i]);
      assert.ok(levels > 100, `${backend}: ${levels} levels`);
    }
  },
);

test('a device of the caller’s: the same answer, and it is the caller’s still', { timeout: 600e3 }, async () => {
  const seen = await inPage(async ({ load }) => {
    const device = await (await navigator.gpu.requestAdapter()).requestDevice();
    let lost = false;
    device.lost.then(() => (lost = true));
    // Two at once: neither may get the other's, or a device of its own.
    const [given, own] = await Promise.all([
      load({ backend: 'webgpu', device }),
      load({ backend: 'webgpu', worker: false }),
    ]);
    const restored = !Object.hasOwn(navigator, 'gpu') && navigator.gpu instanceof GPU;
    const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i));
    const logits = async (net) => Array.from((await net.forward({ data, dims: [1, 3, 64, 64] })).logits);
    const answers = [await logits(given), await logits(own)];
    const submissions = [];
    const submit = GPUQueue.prototype.submit;
    GPUQueue.prototype.submit = function (...rest) {
      submissions.push(this === device.queue);
      return submit.apply(this, rest);
    };
    await logits(given);
    await logits(own);
    GPUQueue.prototype.submit = submit;
    const { backend } = given.info;
    given.dispose();
    own.dispose();
    const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ });
    await buffer.mapAsync(GPUMapMode.READ);
    const usable = buffer.getMappedRange().byteLength === 16 && !lost;

    const again = await load({ backend: 'webgpu', device });
    device.destroy();
    const afterwards = await again.forward({ data, dims: [1, 3, 64, 64] }).catch(({ code }) => code);
    again.dispose();
    const refused = [];
    for (const options of [{ device: {} }, { device, worker: true }])
      await load(options).catch(({ code }) => refused.push(code));
    return { restored, answers, submissions, backend, usable, afterwards, refused };
  });
  assert.equal(seen.backend, 'webgpu');
  assert.ok(seen.restored, 'navigator.gpu is the browser’s again');
  assert.deepEqual(seen.answers[0], seen.answers[1]);
  assert.deepEqual(seen.submissions, [true, false], 'each net on its own device');
  assert.ok(seen.usable, 'the device outlives the net');
  assert.equal(seen.afterwards, 'device-lost');
  assert.deepEqual(seen.refused, ['bad-option', 'bad-option']);
});
