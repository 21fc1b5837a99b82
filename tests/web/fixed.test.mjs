// The flavour without relaxed SIMD gives the same bits in every engine: V8 in Node, Chromium, and what runs it next.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { pageMounts, repository, serve } from '../../tools/serve.mjs';
import { load } from '../../dist/site/lib/node.js';

/** Logits of the bundled model; a change of the weights or of a kernel's order of operations changes them. */
const HASH = '9d2cd094d6921453ff6ed6fda6c89cef9d3b5322c07925102a832f6d1256eb81';

const dims = [1, 3, 192, 192];
const input = () => Float32Array.from({ length: 3 * 192 * 192 }, (_, i) => ((i * 7919) % 1024) / 256 - 2);
const hash = (logits) =>
  createHash('sha256')
    .update(new Uint8Array(Float32Array.from(logits).buffer))
    .digest('hex');

test('the fixed flavour is reproducible to the bit, in Node and in Chromium', async () => {
  const net = await load({ flavour: 'fixed', backend: 'wasm' });
  const node = [];
  for (let run = 0; run < 2; run++) node.push((await net.forward({ data: input(), dims })).logits);
  net.dispose();
  assert.deepEqual(node[1], node[0]);

  const server = await serve(null, { mounts: { ...pageMounts, '/blank/': path.join(repository, 'tests/web/blank') } });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}blank/`);
    const chromium = await page.evaluate(
      async ({ data, dims }) => {
        const { load } = await import('/lib/index.js');
        const net = await load({ flavour: 'fixed', backend: 'wasm' });
        const { logits } = await net.forward({ data: Float32Array.from(data), dims });
        return [...logits];
      },
      { data: [...input()], dims },
    );
    assert.deepEqual(Float32Array.from(chromium), node[0]);
  } finally {
    await browser.close();
    await server.close();
  }
  assert.equal(hash(node[0]), HASH);
});
