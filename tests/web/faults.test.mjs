// Whatever the graphics card does, the caller gets the right answer, and is told what happened.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { blankPages, browser, page, server } from './support/blank.mjs';
import { cat } from './support/golden.mjs';

blankPages({ webgpu: true });

const forEver = 1e9;
/** A hang, not a slow machine. */
const timeout = 600e3;

/** Opens a page whose workers break WebGPU in this way from the start on. */
async function open(fault, times) {
  await page.unrouteAll();
  await page.route('**/lib/worker.js', async (route) => {
    const response = await route.fetch();
    const arming = `import { arm } from '/blank/faults.js'; arm(${JSON.stringify(fault)}, ${times});\n`;
    await route.fulfill({ response, body: arming + (await response.text()) });
  });
  await page.goto(`${server.url}blank/`);
  await page.evaluate(() => {
    const channel = new BroadcastChannel('faults');
    globalThis.arm = (fault, times) =>
      new Promise((resolve) => {
        channel.onmessage = resolve;
        channel.postMessage({ fault, times });
      });
    globalThis.answer = async () => {
      const { top, backend, backendReason } = await globalThis.net.classify('/samples/cat.jpg');
      return { top, backend, backendReason, info: globalThis.net.info.backend };
    };
  });
}

const load = (options) =>
  page.evaluate(async (options) => {
    const { load } = await import('/lib/index.js');
    globalThis.net = await load({ worker: true, flavour: 'relaxed', ...options });
    return globalThis.net.info.backend;
  }, options);
const codeOfLoad = (options) =>
  load(options).then(
    () => 'no error',
    (error) => error.message,
  );
const answer = () => page.evaluate(() => globalThis.answer());
const arm = (fault, times) => page.evaluate(([fault, times]) => globalThis.arm(fault, times), [fault, times]);

/** The cat, from this engine, with a reason or without. */
function assertAnswer({ top, backend, backendReason, info }, engine, reason, name) {
  assert.equal(backend, engine, `${name}: ${backendReason}`);
  assert.equal(info, engine, name);
  if (reason) assert.match(backendReason, reason, name);
  else assert.equal(backendReason, undefined, name);
  assert.equal(top[0].label, cat[0].label, name);
  assert.ok(
    Math.abs(top[0].probability - cat[0].probability) <= 1e-3,
    `${name}: ${top[0].probability}, PyTorch has ${cat[0].probability}`,
  );
}

/** What a visitor reads, by what happens while the model is loaded. */
const atLoad = {
  'no adapter': /^WebGPU found no graphics card\.$/,
  'no device': /^WebGPU cannot be used: .*gave no device/,
  'lost while compiling': /^WebGPU cannot be used: .*lost/,
  'lost while running': /^WebGPU cannot be used: .*lost/,
  'bad shader': /^WebGPU cannot be used: .*refused a command/,
  'bad command': /^WebGPU cannot be used: .*refused a command/,
  'no memory': /^WebGPU cannot be used: .*not enough memory/,
  'small limits': /^WebGPU cannot be used: .*allows 0 MB/,
  'no reading': /^WebGPU cannot be used: .*could not be read/,
};

for (const [fault, reason] of Object.entries(atLoad)) {
  test(`${fault}, for good, while loading: WebAssembly, with the reason`, { timeout }, async () => {
    await open(fault, forEver);
    await load();
    assertAnswer(await answer(), 'wasm', reason, fault);
  });
}

test('a fault that passes while loading is given a second chance', { timeout }, async () => {
  for (const fault of ['lost while compiling', 'no memory']) {
    await open(fault, 1);
    await load();
    assertAnswer(await answer(), 'webgpu', undefined, fault);
  }
});

test('a fault of a run is answered by a new device, time after time', { timeout }, async () => {
  await open(undefined, 0);
  assert.equal(await load(), 'webgpu');
  for (const fault of ['lost between runs', 'lost while running', 'bad command', 'no memory', 'no reading']) {
    await arm(fault, 1);
    assertAnswer(await answer(), 'webgpu', undefined, fault);
  }
});

/** The same after loading, where it stays. */
const atRun = {
  'lost while running': /^WebGPU failed: .*lost/,
  'no memory': /^WebGPU failed: .*not enough memory/,
  'no reading': /^WebGPU failed: .*could not be read/,
};

for (const [fault, reason] of Object.entries(atRun)) {
  test(`${fault}, for good: WebAssembly answers, with the reason`, { timeout }, async () => {
    await open(undefined, 0);
    assert.equal(await load(), 'webgpu');
    await arm(fault, forEver);
    assertAnswer(await answer(), 'wasm', reason, fault);
    await arm(undefined, 0);
    assertAnswer(await answer(), 'wasm', reason, 'and stays there');
  });
}

test('no other device after a loss: WebAssembly, with the reason', { timeout }, async () => {
  await open(undefined, 0);
  assert.equal(await load(), 'webgpu');
  await arm('lost between runs', 0);
  await arm('no adapter', forEver);
  assertAnswer(await answer(), 'wasm', /no WebGPU adapter/, 'no adapter');
});

test('a crash of the browser’s GPU process is survived', { timeout }, async () => {
  await open(undefined, 0);
  assert.equal(await load(), 'webgpu');
  const client = await browser.newBrowserCDPSession();
  const crash = client.send('Browser.crashGpuProcess');
  const { top, backend, backendReason } = await answer();
  await crash;
  assertAnswer(
    { top, backend, backendReason, info: backend },
    backend,
    backend === 'wasm' ? /^WebGPU failed: / : undefined,
    'during the crash',
  );
  const later = await answer();
  assert.equal(later.top[0].label, cat[0].label);
});

test('whoever insists on WebGPU is told what failed, and is answered once it works again', { timeout }, async () => {
  await open('no device', forEver);
  assert.match(await codeOfLoad({ backend: 'webgpu' }), /gave no device/);
  await open(undefined, 0);
  assert.equal(await load({ backend: 'webgpu' }), 'webgpu');
  await arm('no memory', forEver);
  assert.match(
    await answer().then(
      () => 'no error',
      (error) => error.message,
    ),
    /not enough memory/,
  );
  await arm(undefined, 0);
  assertAnswer(await answer(), 'webgpu', undefined, 'works again');
});

test('f16 is refused where the browser has it not, or f32 is taken and said', { timeout }, async () => {
  await open(undefined, 0);
  assert.match(await codeOfLoad({ backend: 'webgpu', precision: 'f16' }), /no f16 numbers/);
  assert.equal(await load({ precision: 'f16' }), 'webgpu');
  const { precision, precisionReason } = await page.evaluate(() => globalThis.net.info);
  assert.equal(precision, 'f32');
  assert.match(precisionReason, /^f16 cannot be used: .*no f16 numbers/);
  assertAnswer(await answer(), 'webgpu', undefined, 'in f32');
});

test('what is compiled is told in parts', { timeout }, async () => {
  await open(undefined, 0);
  const events = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const events = [];
    await load({ backend: 'webgpu', onProgress: (event) => events.push(event) });
    return events;
  });
  assert.deepEqual([...new Set(events.map(({ phase }) => phase))], ['download', 'compile', 'warm-up']);
  const parts = events.flatMap(({ phase, part }) => (phase === 'compile' && part !== undefined ? [part] : []));
  assert.ok(
    parts.length > 5 && parts.every((part, i) => part > 0 && part <= 1 && (i === 0 || part >= parts[i - 1])),
    parts.join(),
  );
  assert.equal(parts.at(-1), 1);
  assert.equal(events.at(-1).loaded, events.at(-1).total);
  assert.ok(events.at(-1).total > 7.5e6, 'the module of the WebGPU engine counts too');
});
