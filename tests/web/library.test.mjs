// The library in Chromium: inputs, queueing, aborting, failing and recovering.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { repository } from '../../tools/serve.mjs';
import { blankPages, chromiumOnly, inPage, page, server, withWebgpu } from './support/blank.mjs';
import { defaultModel } from './support/site.mjs';
import { cat } from './support/golden.mjs';
import { checkpoint } from './support/pth.mjs';

const run = promisify(execFile);

blankPages();

function assertCat(top, tolerance, name) {
  assert.equal(top[0].label, cat[0].label, name);
  assert.ok(
    Math.abs(top[0].probability - cat[0].probability) <= tolerance,
    `${name}: ${top[0].probability}, PyTorch has ${cat[0].probability}`,
  );
}

test('every kind of input gets the same answer, in a worker and in place, alone and in a batch', async () => {
  for (const worker of [true, false]) {
    const { answers, batch, kind } = await inPage(async ({ load }, _, worker) => {
      const net = await load({ worker, backend: 'wasm' });
      const url = new URL('/samples/cat.jpg', location.href);
      const blob = await (await fetch(url)).blob();
      const img = Object.assign(new Image(), { src: url.href });
      const unattached = Object.assign(new Image(), { src: url.href });
      document.body.append(img);
      const bitmap = await createImageBitmap(blob);
      const { width, height } = bitmap;
      const draw = (canvas) => {
        const context = Object.assign(canvas, { width, height }).getContext('2d');
        context.drawImage(bitmap, 0, 0);
        return context;
      };
      const canvas = document.createElement('canvas');
      const pixels = draw(canvas).getImageData(0, 0, width, height);
      const offscreen = new OffscreenCanvas(1, 1);
      draw(offscreen);
      const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      const image = document.createElementNS('http://www.w3.org/2000/svg', 'image');
      for (const [name, value] of Object.entries({ href: url.href, width, height })) image.setAttribute(name, value);
      svg.append(image);
      document.body.append(svg);
      await new Promise((resolve) => (image.onload = resolve));
      const inputs = {
        img,
        unattached,
        image,
        canvas,
        offscreen,
        pixels,
        url,
        blob,
        path: '/samples/cat.jpg',
        file: new File([blob], 'cat.png'),
        frame: new VideoFrame(canvas, { timestamp: 0 }),
        bytes: { data: new Uint8Array(pixels.data), width, height },
        bitmap,
      };
      const answers = {};
      for (const [name, input] of Object.entries(inputs)) answers[name] = (await net.classify(input)).top;
      const batch = (await net.classify([url, pixels, blob], { topK: 1 })).map(({ top }) => top);
      const kind = net.info.worker;
      net.dispose();
      return { answers, batch, kind };
    }, worker);
    assert.equal(kind, worker);
    assert.equal(Object.keys(answers).length, 13);
    // A video frame may have passed through YUV.
    for (const [name, top] of Object.entries(answers)) assertCat(top, name === 'frame' ? 0.03 : 1e-3, name);
    assert.deepEqual(
      batch.map((top) => top.length),
      [1, 1, 1],
    );
    for (const top of batch) assertCat(top, 1e-3, 'batch');
  }
});

test('a canvas is taken as it is at the call, and stays the caller’s', async () => {
  const [first, later] = await inPage(async ({ load }) => {
    const net = await load({ backend: 'wasm' });
    const canvas = new OffscreenCanvas(100, 100);
    const context = canvas.getContext('2d');
    const bytes = { data: new Uint8ClampedArray(40000).fill(255), width: 100, height: 100 };
    const white = await net.classify(bytes);
    context.fillStyle = 'white';
    context.fillRect(0, 0, 100, 100);
    const answer = net.classify(canvas);
    const again = net.classify(bytes);
    context.fillStyle = 'red';
    context.fillRect(0, 0, 100, 100);
    bytes.data.fill(0);
    return [[(await answer).top[0], (await again).top[0]], white.top[0]];
  });
  for (const top of first) assert.deepEqual(top, later);
});

test('feature maps and embeddings have the shapes that the info says', async () => {
  const { stages, features, embedding, logits, top, forward } = await inPage(async ({ load }) => {
    const net = await load({ backend: 'wasm' });
    const features = [];
    for (const { name } of net.info.stages) {
      const { maps, stage } = await net.features('/samples/cat.jpg', { stage: name });
      features.push({
        stage,
        dims: Object.fromEntries(Object.entries(maps).map(([tap, { dims, data }]) => [tap, [...dims, data.length]])),
      });
    }
    const { maps, top } = await net.features('/samples/cat.jpg', { taps: ['logits'] });
    const { side } = net.info.input;
    const { dims, taps } = await net.forward(
      { data: new Float32Array(2 * 3 * side * 64), dims: [2, 3, side, 64] },
      { taps: ['conv1'] },
    );
    return {
      stages: net.info.stages,
      features,
      embedding: (await net.embed('/samples/cat.jpg')).length,
      logits: [...maps.logits.data],
      top,
      forward: [dims, taps.conv1.dims],
    };
  });
  features.forEach(({ stage, dims }, i) => {
    const { width, cheap, size, blocks } = stages[i];
    assert.deepEqual(dims[stage.first], [width, ...size, width * size[0] * size[1]]);
    assert.deepEqual(dims[stage.last], dims[stage.first]);
    assert.equal(stage.inner.length, Math.max(0, blocks.length - 2));
    if (cheap) assert.deepEqual(dims[stage.ghost].slice(0, 1), [cheap]);
  });
  assert.equal(embedding, stages.at(-1).width);
  assert.equal(Math.max(...logits), logits[top[0].index]);
  assert.equal(forward[0].join(), '2,10');
  assert.deepEqual(forward[1].slice(0, 2), [2, 32]);
});

test('the self-test holds the engine against the logits in the model file', async () => {
  const { right, wrong, none, golden } = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm', flavour: 'fixed', worker: false });
    const right = await net.selfTest();
    const { Output } = await import('/wasm/fixed/g_ghostnet.js');
    const { logits } = Output.prototype;
    Output.prototype.logits = function () {
      return logits.call(this).map((value) => 1.001 * value);
    };
    const wrong = await net.selfTest();
    Output.prototype.logits = logits;
    const other = await net.randomTwin();
    return { right, wrong, none: await codeOf(other.selfTest()), golden: 'golden' in net.info };
  });
  assert.ok(right.passed && right.worstError < 2e-4, JSON.stringify(right));
  assert.ok(!wrong.passed && wrong.worstError > 5e-4, JSON.stringify(wrong));
  assert.equal(none, 'unsupported');
  assert.equal(golden, false);
});

test('overlapping calls are answered in order; dispose rejects those that wait', async () => {
  const { order, codes, after } = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const order = [];
    // Of tensors, which need not be read first.
    const call = async (i) => {
      await net.forward({ data: new Float32Array(3 * 32 * 32), dims: [1, 3, 32, 32] });
      order.push(i);
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => call(i)));
    const waiting = Array.from({ length: 8 }, () => net.classify('/samples/cat.jpg'));
    await waiting[0];
    net.dispose();
    net.dispose();
    return {
      order,
      codes: await Promise.all(waiting.map(codeOf)),
      after: [await codeOf(net.classify('/samples/cat.jpg')), await codeOf(net.selfTest())],
    };
  });
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(codes[0], 'no error');
  assert.deepEqual([...new Set(codes.slice(2))], ['disposed']);
  assert.deepEqual(after, ['disposed', 'disposed']);
});

test('nets live side by side with other labels', async () => {
  const [a, b] = await inPage(async ({ load }) => {
    const labels = 'abcdefghij'.split('');
    const [one, two] = await Promise.all([load({ worker: false }), load({ worker: false, labels })]);
    const answers = await Promise.all([one.classify('/samples/cat.jpg'), two.classify('/samples/cat.jpg')]);
    one.dispose();
    answers[0] = await two.classify('/samples/cat.jpg').then(({ top }) => ({
      top: [{ ...answers[0].top[0], same: top[0].probability === answers[1].top[0].probability }],
    }));
    return answers.map(({ top }) => top[0]);
  });
  assert.equal(a.label, cat[0].label);
  assert.equal(a.same, true);
  assert.equal(b.label, 'b');
});

test('load can be aborted in every phase, in a worker and in place, and called again', async () => {
  for (const worker of [true, false]) {
    const codes = await inPage(async ({ load }, codeOf, worker) => {
      const codes = {};
      for (const phase of ['download', 'compile', 'warm-up']) {
        const controller = new AbortController();
        codes[phase] = await codeOf(
          load({
            worker,
            signal: controller.signal,
            onProgress: (event) => event.phase === phase && controller.abort(),
          }),
        );
      }
      codes.before = await codeOf(load({ worker, signal: AbortSignal.abort() }));
      const net = await load({ worker });
      const controller = new AbortController();
      const waiting = [
        net.classify('/samples/cat.jpg'),
        net.classify('/samples/cat.jpg', { signal: controller.signal }),
        net.classify('/samples/cat.jpg'),
      ];
      controller.abort();
      codes.calls = (await Promise.all(waiting.map(codeOf))).join();
      return codes;
    }, worker);
    assert.deepEqual(codes, {
      download: 'aborted',
      compile: 'aborted',
      'warm-up': 'aborted',
      before: 'aborted',
      calls: 'no error,aborted,no error',
    });
  }
});

test('progress names its phases in order and ends at the total', async () => {
  const events = await inPage(async ({ load }) => {
    const events = [];
    await load({ onProgress: (event) => events.push(event) });
    return events;
  });
  assert.deepEqual([...new Set(events.map(({ phase }) => phase))], ['download', 'compile', 'warm-up']);
  assert.ok(events.every(({ loaded, total }) => total === undefined || loaded <= total));
  assert.ok(events.every(({ loaded }, i) => i === 0 || loaded >= events[i - 1].loaded));
  assert.equal(events.at(-1).loaded, events.at(-1).total);
  assert.ok(events.at(-1).total > 7e6);
});

test('failures have codes, and a load that failed can be called again', async () => {
  let tries = 0;
  const model = path.join(repository, 'models', defaultModel);
  await page.route('**/flaky.safetensors', (route) => route.fulfill(tries++ ? { path: model } : { status: 503 }));
  const codes = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const codes = [
      await codeOf(load({ model: '/flaky.safetensors' })),
      await codeOf(load({ model: '/flaky.safetensors' }).then((net) => net.dispose())),
      await codeOf(load({ model: new Uint8Array(100) })),
      await codeOf(load({ model: '/blank/' })),
      await codeOf(load({ model: 5 })),
      await codeOf(load({ backend: 'cuda' })),
      await codeOf(load({ backend: 'webgpu' })),
      await codeOf(load({ wasmUrl: '/nowhere' })),
      await codeOf(net.classify('/samples/missing.jpg')),
      await codeOf(net.classify('/samples/samples.json')),
      await codeOf(net.classify(5)),
      await codeOf(net.classify([])),
      await codeOf(net.classify({ data: new Uint8Array(5), width: 1, height: 1 })),
      await codeOf(net.classify(new OffscreenCanvas(0, 5))),
      await codeOf(net.classify(new Image())),
      await codeOf(net.features('/samples/cat.jpg', { stage: 7 })),
      await codeOf(net.features('/samples/cat.jpg', { taps: ['layer9'] })),
      await codeOf(net.forward({ data: new Float32Array(10), dims: [1, 3, 32, 32] })),
      await codeOf(net.forward({ data: new Float32Array(3 * 16 * 16), dims: [1, 3, 16, 16] })),
      await codeOf(net.classify('/samples/cat.jpg', { topK: 0 })),
    ];
    codes.push((await net.classify('/samples/cat.jpg')).top[0].label);
    return codes;
  });
  assert.deepEqual(codes, [
    'network',
    'no error',
    'bad-model',
    'network',
    'bad-option',
    'bad-option',
    'unsupported',
    'network',
    'network',
    'bad-image',
    'bad-image',
    'bad-image',
    'bad-image',
    'bad-image',
    'bad-image',
    'bad-option',
    'unknown-tap',
    'wrong-shape',
    'wrong-shape',
    'bad-option',
    cat[0].label,
  ]);
});

test('a model in parts is checked, cached by its hashes, and loads without a cache too', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'shards-'));
  const model = path.join(repository, 'models', defaultModel);
  await run(process.execPath, [
    path.join(repository, 'www/lib/cli.js'),
    'shard',
    '--model',
    model,
    '--megabytes',
    '3',
    folder,
  ]);
  const name = path.basename(defaultModel, '.safetensors');
  const asked = [];
  await page.route('**/parts/*', (route) => {
    const file = path.basename(route.request().url());
    asked.push(path.extname(file));
    return route.fulfill({ path: path.join(folder, file) });
  });
  const top = () =>
    inPage(async ({ load }, codeOf, name) => {
      const net = await load({ model: `/parts/${name}.json`, worker: false });
      const { top } = await net.classify('/samples/cat.jpg');
      net.dispose();
      return top;
    }, name);
  try {
    assertCat(await top(), 1e-3, 'downloaded');
    assert.deepEqual(asked.splice(0), ['.json', '.bin', '.bin', '.bin']);
    assertCat(await top(), 1e-3, 'cached');
    assert.deepEqual(asked.splice(0), ['.json']);
    await page.evaluate(async () => {
      await (await import('/lib/index.js')).clearCache();
      Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
    });
    assertCat(await top(), 1e-3, 'no room');
    await page.evaluate(
      () => (CacheStorage.prototype.open = () => Promise.reject(new DOMException('private', 'SecurityError'))),
    );
    assertCat(await top(), 1e-3, 'private');
    assert.equal(asked.splice(0).length, 8);
    const [part] = (await readdir(folder)).filter((file) => file.endsWith('.bin'));
    const bytes = await readFile(path.join(folder, part));
    bytes[bytes.length >> 1] ^= 1;
    await writeFile(path.join(folder, part), bytes);
    assert.equal(
      await inPage(({ load }, codeOf, name) => codeOf(load({ model: `/parts/${name}.json` })), name),
      'bad-model',
    );
    await writeFile(path.join(folder, `${name}.json`), '{"files":[{"path":"x","bytes":1e12,"sha256":""}]}');
    assert.equal(
      await inPage(({ load }, codeOf, name) => codeOf(load({ model: `/parts/${name}.json` })), name),
      'bad-model',
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('PyTorch checkpoints are read by a part that is fetched for them', async () => {
  const file = async (name) => (await readFile(path.join(repository, 'tests/golden/pth', name))).toString('base64');
  const files = [await file('zip.pth'), await file('legacy.pth')];
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const [zip, legacy, cut] = await inPage(async ({ load }, codeOf, files) => {
    const bytes = files.map((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
    const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i));
    const answer = async (model) => {
      const net = await load({ model, backend: 'wasm', worker: false });
      const { logits } = await net.forward({ data, dims: [1, 3, 64, 64] });
      const { variant } = net.info;
      net.dispose();
      return { variant, logits: Array.from(logits) };
    };
    return [
      await answer(bytes[0].buffer),
      await answer(new Blob([bytes[1]])),
      await codeOf(load({ model: bytes[0].slice(0, 9000) })),
    ];
  }, files);
  assert.match(zip.variant, /^resnet/);
  assert.ok(zip.logits.length > 1 && new Set(zip.logits).size === zip.logits.length, `${zip.logits}`);
  assert.deepEqual(legacy, zip);
  assert.equal(cut, 'bad-model');
  assert.ok(asked.includes('/wasm/reader/g_ghostnet_bg.wasm'));
  assert.ok(!asked.includes('/wasm/webgpu/g_ghostnet_bg.wasm'));
});

test('of a large PyTorch checkpoint little is read to find its tensors, and none of it is copied', async () => {
  const keys = JSON.parse(await readFile(path.join(repository, 'tests/golden/keys/g_ghost_regnetx_008.json'), 'utf8'));
  const file = checkpoint(keys);
  await page.setContent('<input type="file">');
  await page.setInputFiles('input', { name: 'model.pth', mimeType: 'application/octet-stream', buffer: file });
  const { read, largest, variant, labels } = await inPage(async ({ load }) => {
    let [read, largest] = [0, 0];
    const { arrayBuffer } = Blob.prototype;
    Blob.prototype.arrayBuffer = function () {
      read += this.size;
      return arrayBuffer.call(this);
    };
    const { write } = (await import('/wasm/fixed/g_ghostnet.js')).ModelBytes.prototype;
    (await import('/wasm/fixed/g_ghostnet.js')).ModelBytes.prototype.write = function (piece) {
      largest = Math.max(largest, piece.length);
      return write.call(this, piece);
    };
    const [model] = document.querySelector('input').files;
    const net = await load({ model, backend: 'wasm', flavour: 'fixed', worker: false });
    const { variant, labels } = net.info;
    net.dispose();
    return { read, largest, variant, labels };
  });
  assert.equal(labels[207], 'golden retriever');
  assert.equal(variant, 'g_ghost_regnetx_008');
  assert.ok(read > 0 && read < file.length / 10, `${read} of ${file.length} bytes were read for the index`);
  assert.ok(largest > 0 && largest < file.length / 5, `a piece of ${largest} of ${file.length} bytes was held`);
});

test('after a crash of the engine the next call runs on a fresh one', async () => {
  const crashing = `
    const { Net } = await import(URL);
    const forward = Net.prototype.forward;
    Net.prototype.forward = function (...given) {
      if (given[3] === 33) throw new WebAssembly.RuntimeError('unreachable');
      return forward.apply(this, given);
    };`;
  const flavour = '/wasm/fixed/g_ghostnet.js';
  await page.route('**/lib/worker.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: crashing.replace('URL', `'${flavour}'`) + (await response.text()) });
  });
  let downloads = 0;
  page.on('request', (request) => (downloads += /\.(wasm|safetensors)$/.test(request.url())));
  for (const worker of [true, false]) {
    const answers = await inPage(
      async ({ load }, codeOf, { worker, crashing }) => {
        if (!worker) await import('data:text/javascript,' + encodeURIComponent(crashing));
        const net = await load({ worker, flavour: 'fixed' });
        const answers = [];
        for (let round = 0; round < 2; round++) {
          const crash = net.forward({ data: new Float32Array(3 * 34 * 33), dims: [1, 3, 34, 33] });
          const next = net.classify('/samples/cat.jpg');
          answers.push(await codeOf(crash), (await next).top[0].label);
        }
        return answers;
      },
      { worker, crashing: crashing.replace('URL', `'${server.url.slice(0, -1)}${flavour}'`) },
    );
    assert.deepEqual(answers, ['crashed', cat[0].label, 'crashed', cat[0].label]);
  }
  assert.equal(downloads, 4, 'a fresh engine takes what was loaded before');
});

test('the engine is asked for once, however its server answers, and what is wrong is said', async () => {
  const engine = '**/wasm/fixed/g_ghostnet_bg.wasm';
  const answers = {
    'as it is': () => ({}),
    'without a length': (headers) => ({ headers: { ...headers, 'content-length': undefined } }),
    'with another type': (headers) => ({ headers: { ...headers, 'content-type': 'application/octet-stream' } }),
    'a page': () => ({ headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>x</title>' }),
    'a page as WebAssembly': () => ({ headers: { 'content-type': 'application/wasm' }, body: '<!doctype html>' }),
    nothing: () => ({ status: 404 }),
  };
  const said = {};
  for (const [name, change] of Object.entries(answers)) {
    let asked = 0;
    await page.route(engine, async (route) => {
      asked++;
      const response = await route.fetch();
      const { headers = response.headers(), ...others } = change(response.headers());
      const kept = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
      await route.fulfill({ response, ...others, headers: kept });
    });
    said[name] = await inPage(({ load }) =>
      load({ worker: false, backend: 'wasm', flavour: 'fixed' }).then(
        (net) => net.classify('/samples/cat.jpg').then(({ top }) => top[0].label),
        ({ code, message }) => `${code}: ${message}`,
      ),
    );
    assert.equal(asked, 1, name);
    await page.unroute(engine);
  }
  const [first, second, third, ...rest] = Object.values(said);
  assert.deepEqual([first, second, third], Array(3).fill(cat[0].label));
  assert.match(rest[0], /^network: The engine \(WebAssembly\) was not found: .* web page/);
  assert.match(rest[1], /^unsupported: The engine could not be compiled .*its file may be damaged/);
  assert.match(rest[2], /^network: The engine \(WebAssembly\) was not found: .* answered 404/);
});

test('without workers it runs in place; a strict policy and Trusted Types are no obstacle', async () => {
  const own = "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
  for (const [policy, title] of [
    [`${own}; worker-src 'self'`, `${cat[0].label}, worker`],
    [`${own}; worker-src 'none'`, `${cat[0].label}, in place`],
    [
      `${own}; worker-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'`,
      `${cat[0].label}, in place`,
    ],
    [
      "default-src 'none'; connect-src 'self'; script-src 'self'; worker-src 'none'",
      /^unsupported: The page’s content security policy forbids WebAssembly: add 'wasm-unsafe-eval'/,
    ],
  ]) {
    await page.route('**/blank/?run', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'Content-Security-Policy': policy } });
    });
    await page.goto(`${server.url}blank/?run`);
    await page.waitForFunction(() => document.title !== 'waiting');
    const found = await page.title();
    if (typeof title === 'string') assert.equal(found, title, policy);
    else assert.match(found, title, policy);
    await page.unroute('**/blank/?run');
  }
});

test('memory stays flat over calls and over nets', chromiumOnly, async () => {
  const client = await page.context().newCDPSession(page);
  const heap = async () => {
    await client.send('HeapProfiler.collectGarbage');
    const { metrics } = await client.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'JSHeapUsedSize').value;
  };
  await client.send('Performance.enable');
  await inPage(async ({ load }) => {
    globalThis.net = await load({ worker: false, backend: 'wasm' });
    globalThis.classify = async (times) => {
      for (let i = 0; i < times; i++) await globalThis.net.classify('/samples/cat.jpg');
      return globalThis.net.info.memoryBytes;
    };
    await globalThis.classify(10);
    globalThis.cycle = async (times) => {
      for (let i = 0; i < times; i++) {
        const net = await load({ worker: false, backend: 'wasm' });
        await net.classify('/samples/cat.jpg');
        net.dispose();
      }
    };
    await globalThis.cycle(3);
  });
  const wasm = () =>
    page.evaluate(async () => (await (await import('/wasm/relaxed/g_ghostnet.js')).default()).memory.buffer.byteLength);
  const start = [await heap(), await wasm()];
  await page.evaluate(() => globalThis.classify(100));
  const calls = [await heap(), await wasm()];
  await page.evaluate(() => globalThis.cycle(10));
  const nets = [await heap(), await wasm()];
  assert.ok(calls[0] - start[0] < 500e3, `the heap grew by ${calls[0] - start[0]} bytes in 100 calls`);
  assert.equal(calls[1], start[1], 'the memory of the engine grew in 100 calls');
  assert.ok(nets[0] - calls[0] < 500e3, `the heap grew by ${nets[0] - calls[0]} bytes in 10 nets`);
  assert.ok(nets[1] - calls[1] <= 2 ** 20, `the memory of the engine grew by ${nets[1] - calls[1]} bytes in 10 nets`);
});

test('WebGPU is right and passes its self-test; a device that was lost is made anew', chromiumOnly, async () => {
  await withWebgpu(async () => {
    const { answers, verdict, refused, unhandled } = await inPage(async ({ load }, codeOf) => {
      const { lose, refuse, unhandled } = await import('/blank/gpu.js');
      const net = await load({ backend: 'webgpu', worker: false });
      const answers = [await net.classify('/samples/cat.jpg')];
      const verdict = await net.selfTest();
      lose();
      answers.push(await net.classify('/samples/cat.jpg'));
      lose();
      refuse(true);
      const refused = await codeOf(net.classify('/samples/cat.jpg'));
      refuse(false);
      answers.push(await net.classify('/samples/cat.jpg'));
      return { answers, verdict, refused, unhandled };
    });
    for (const answer of answers) assertOnGpu(answer);
    assert.equal(verdict.passed, true);
    assert.ok(verdict.worstError > 0 && verdict.worstError <= 1e-4, String(verdict.worstError));
    assert.match(refused, /^(unsupported|gpu|device-lost)$/);
    assert.deepEqual(unhandled, []);
  });
});

test('a trap on WebGPU, which never answers, is a crash of the call alone', chromiumOnly, async () => {
  await withWebgpu(async () => {
    const { trapped, next } = await inPage(async ({ load }, codeOf) => {
      const net = await load({ backend: 'webgpu', worker: false });
      const { GpuNet } = await import('/wasm/webgpu/g_ghostnet.js');
      const { forward } = GpuNet.prototype;
      GpuNet.prototype.forward = () => {
        GpuNet.prototype.forward = forward;
        return new Promise(() =>
          queueMicrotask(() => {
            throw new WebAssembly.RuntimeError('unreachable');
          }),
        );
      };
      return { trapped: await codeOf(net.classify('/samples/cat.jpg')), next: await net.classify('/samples/cat.jpg') };
    });
    assert.equal(trapped, 'crashed');
    assertOnGpu(next);
  });
});

test('by itself a net takes the faster engine, and WASM after a loss that cannot be mended', chromiumOnly, async () => {
  await withWebgpu(async () => {
    const { slow, first, second, info, unhandled } = await inPage(async ({ load }) => {
      const { lose, passOff, refuse, slowEngines, unhandled } = await import('/blank/gpu.js');
      passOff();
      const cpu = await load({ backend: 'wasm', worker: false });
      const slowness = await slowEngines(cpu.info.flavour);
      cpu.dispose();
      slowness.backend = 'webgpu';
      const other = await load({ worker: false });
      const slow = await other.classify('/samples/cat.jpg');
      other.dispose();
      slowness.backend = 'wasm';
      const net = await load({ worker: false });
      slowness.backend = undefined;
      const first = await net.classify('/samples/cat.jpg');
      lose();
      refuse(true);
      return { slow, first, second: await net.classify('/samples/cat.jpg'), info: net.info, unhandled };
    });
    assert.equal(slow.backend, 'wasm');
    assert.match(slow.backendReason, /^WebGPU is slower here: \d/);
    assertOnGpu(first);
    assert.equal(second.backend, 'wasm');
    assert.match(second.backendReason, /^WebGPU failed: /);
    assertCat(second.top, 1e-3, 'after the loss');
    assert.equal(info.backend, 'wasm');
    assert.equal(info.adapter, null);
    assert.deepEqual(unhandled, []);
  });
});

function assertOnGpu({ top, backend, backendReason }) {
  assert.equal(backend, 'webgpu', backendReason);
  assertCat(top, 1e-3, 'WebGPU');
}
