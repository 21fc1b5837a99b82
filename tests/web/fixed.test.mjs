// The flavour without relaxed SIMD gives the same bits in every engine: V8 in Node and Chromium, and what ENGINE names.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { test } from 'node:test';

import { load } from '../../dist/site/lib/node.js';
import { repository } from '../../tools/serve.mjs';
import { blankPages, engine, inPage } from './support/blank.mjs';
import { defaultModel } from './support/site.mjs';

blankPages();

const model = path.join(repository, 'models', defaultModel);

/** Logits of a bundled model; a change of the weights or of a kernel's order of operations changes them. */
const HASH = '9d2cd094d6921453ff6ed6fda6c89cef9d3b5322c07925102a832f6d1256eb81';

const dims = [1, 3, 192, 192];
const input = () => Float32Array.from({ length: 3 * 192 * 192 }, (_, i) => ((i * 7919) % 1024) / 256 - 2);
const hash = (logits) =>
  createHash('sha256')
    .update(new Uint8Array(Float32Array.from(logits).buffer))
    .digest('hex');

/** Logits of the made input, in the page. */
const inBrowser = (options) =>
  inPage(
    async ({ load }, _, { data, dims, options }) => {
      const net = await load({ backend: 'wasm', ...options });
      const { flavour } = net.info;
      const { logits } = await net.forward({ data, dims });
      net.dispose();
      return { logits, flavour };
    },
    { data: input(), dims, options },
  );

test(`the fixed flavour is reproducible to the bit, in Node and in ${engine}`, async () => {
  const net = await load({ model, flavour: 'fixed', backend: 'wasm' });
  const node = [];
  for (let run = 0; run < 2; run++) node.push((await net.forward({ data: input(), dims })).logits);
  net.dispose();
  assert.deepEqual(node[1], node[0]);
  assert.equal(hash(node[0]), HASH);

  const { logits, flavour } = await inBrowser({ flavour: 'fixed' });
  assert.equal(flavour, 'fixed');
  assert.deepEqual(logits, node[0]);
});

test('the flavour that is taken unasked agrees with the fixed one', async () => {
  const [fixed, taken] = [await inBrowser({ flavour: 'fixed' }), await inBrowser({})];
  const largest = Math.max(...fixed.logits.map(Math.abs));
  taken.logits.forEach((logit, i) => assert.ok(Math.abs(logit - fixed.logits[i]) <= 1e-5 * largest, `logit ${i}`));
});

test('a flavour whose instructions are not known here is refused for what it is', async () => {
  const { relaxed, none } = await inPage(async ({ load }) => {
    const refusal = (flavour) =>
      load({ flavour, worker: false, backend: 'wasm' }).then(
        () => 'loaded',
        ({ code, message }) => `${code}: ${message}`,
      );
    WebAssembly.validate = () => false;
    return { relaxed: await refusal('relaxed'), none: await refusal('fixed-threads') };
  });
  assert.match(relaxed, /^unsupported: WebAssembly has no relaxed SIMD here/);
  assert.match(none, /^unsupported: WebAssembly has no SIMD here/);
});
