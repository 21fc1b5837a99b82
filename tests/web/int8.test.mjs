// Models of eight bits in Chromium and Node: the integers of the native engine, and which engine is taken for them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { repository, serve } from '../../tools/serve.mjs';
import { load } from '../../dist/site/lib/node.js';
import { mounts } from './support/site.mjs';

const folder = path.join(repository, 'tests/golden/int8');
const golden = JSON.parse(await readFile(path.join(folder, 'logits.json'), 'utf8'));
const largest = Math.max(...golden.int8.map(Math.abs));

/** An input that rounds the other way, because its sum was added up in another order, is off by one step of 127. */
const ONE_STEP = largest / 127;

let server;
let browser;
let page;

before(async () => {
  server = await serve(null, {
    mounts: { ...mounts, '/int8/': folder },
  });
  browser = await launch();
  page = await browser.newPage();
  await page.goto(`${server.url}blank/`);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** The logits of the golden input, and the info or the error's code and message. */
const ask = (options) =>
  page.evaluate(async (options) => {
    const { load } = await import('/lib/index.js');
    try {
      const net = await load({ backend: 'wasm', model: '/int8/model.safetensors', ...options });
      const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => ((i * 7919) % 1024) / 256 - 2);
      const { logits } = await net.forward({ data, dims: [1, 3, 64, 64] });
      const { flavour, precision, threads } = net.info;
      net.dispose();
      return { logits: [...logits], flavour, precision, threads };
    } catch ({ code, message }) {
      return { code, message };
    }
  }, options);

const error = (found, expected) => Math.max(...found.map((value, i) => Math.abs(value - expected[i])));

test('the integers are those of the native engine', async () => {
  const single = await ask({ flavour: 'fixed-int8' });
  assert.deepEqual(single, { logits: golden.int8, flavour: 'fixed-int8', precision: 'int8', threads: 1 });
  assert.deepEqual(await ask({ flavour: 'fixed-int8-threads', threads: 2 }), {
    ...single,
    flavour: 'fixed-int8-threads',
    threads: 2,
  });

  // Its floats between the integers are added up with one rounding for two.
  const relaxed = await ask({ flavour: 'relaxed-int8' });
  assert.ok(error(relaxed.logits, golden.int8) <= ONE_STEP, `off by ${error(relaxed.logits, golden.int8)}`);
  assert.deepEqual(await ask({ flavour: 'relaxed-int8-threads', threads: 2 }), {
    ...relaxed,
    flavour: 'relaxed-int8-threads',
    threads: 2,
  });

  const net = await load({
    backend: 'wasm',
    flavour: 'fixed-int8',
    model: new Uint8Array(await readFile(path.join(folder, 'model.safetensors'))),
  });
  const data = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => ((i * 7919) % 1024) / 256 - 2);
  assert.deepEqual([...(await net.forward({ data, dims: [1, 3, 64, 64] })).logits], golden.int8, 'in Node');
  assert.equal(net.info.precision, 'int8');
  net.dispose();
});

test('such a model gets the engine with integers, and no other does', async () => {
  const fetched = [];
  page.on(
    'request',
    (request) => request.url().endsWith('.wasm') && fetched.push(new URL(request.url()).pathname.split('/').at(-2)),
  );
  const flavours = async (options) => {
    fetched.length = 0;
    const { precision, flavour, code, message } = await ask({ threads: 1, worker: false, ...options });
    return { precision, flavour, code, message, fetched: [...fetched] };
  };
  const taken = { code: undefined, message: undefined, precision: 'int8', flavour: 'relaxed-int8' };
  assert.deepEqual(await flavours({ precision: 'int8' }), { ...taken, fetched: ['relaxed-int8'] });
  assert.deepEqual(await flavours({}), { ...taken, fetched: ['relaxed', 'relaxed-int8'] });
  assert.deepEqual(await flavours({ precision: 'f32' }), {
    ...taken,
    precision: 'f32',
    flavour: 'relaxed',
    fetched: ['relaxed'],
  });
  assert.deepEqual(await flavours({ model: undefined }), {
    ...taken,
    precision: 'f32',
    flavour: 'relaxed',
    fetched: ['relaxed'],
  });

  const floats = await ask({ precision: 'f32' });
  assert.ok(error(floats.logits, golden.f32) <= 1e-4 * largest, `off by ${error(floats.logits, golden.f32)}`);
});

test('a model without integers cannot be computed in them, and how one is made is said', async () => {
  const { code, message } = await ask({ model: undefined, precision: 'int8' });
  assert.equal(code, 'unsupported');
  assert.match(message, /example quantize/);
  const without = await ask({ precision: 'int8', flavour: 'relaxed' });
  assert.equal(without.code, 'unsupported');
  assert.match(without.message, /flavour/);
  assert.equal((await ask({ precision: 'int8', backend: 'webgpu' })).code, 'unsupported');
});
