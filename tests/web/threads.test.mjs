// The engine's threads in Chromium: the same bits as one, and one where they cannot be had.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { repository, serve } from '../../tools/serve.mjs';
import { blankPages, browser, page, server } from './support/blank.mjs';
import { mounts } from './support/site.mjs';
import { cat } from './support/golden.mjs';
import { until } from './support/until.mjs';

blankPages();

/** Loads a net, classifies the cat and says how; `load` is in the page as `argument` wants it. */
const classify = (options) =>
  page.evaluate(async (options) => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm', ...options });
    const { top } = await net.classify('/samples/cat.jpg');
    const { threads, threadsReason, flavour } = net.info;
    net.dispose();
    return { label: top[0].label, threads, threadsReason, flavour };
  }, options);

/** How many workers the browser has, those of workers too. */
async function workers() {
  const client = await browser.newBrowserCDPSession();
  const { targetInfos } = await client.send('Target.getTargets', { filter: [{ type: 'worker' }] });
  await client.detach();
  return targetInfos.length;
}

/** A worker that has been ended stays in the browser's list for a while. */
const workersBecome = (expected, message) =>
  until(async () => (await workers()) === expected, `${message}: ${expected} workers`);

test('any number of threads gives the same bits, in logits and taps, at every size', async () => {
  for (const flavour of ['relaxed', 'fixed']) {
    const different = await page.evaluate(async (flavour) => {
      const { load } = await import('/lib/index.js');
      const different = [];
      const single = await load({ flavour });
      if (single.info.flavour !== flavour || single.info.threads !== 1) throw new Error(JSON.stringify(single.info));
      const taps = single.info.taps;
      for (const threads of [2, 3, 5]) {
        const net = await load({ flavour: `${flavour}-threads`, threads });
        if (net.info.flavour !== `${flavour}-threads` || net.info.threads !== threads)
          throw new Error(JSON.stringify(net.info));
        for (const [n, height, width] of [
          [1, 192, 192],
          [2, 101, 150],
          [1, 32, 224],
        ]) {
          const data = Float32Array.from({ length: 3 * n * height * width }, (_, i) => Math.sin(i * i));
          const [one, many] = await Promise.all(
            [single, net].map((net) => net.forward({ data, dims: [n, 3, height, width] }, { taps })),
          );
          const same = (a, b) => a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
          if (!same(one.logits, many.logits)) different.push(['logits', threads, height, width]);
          for (const tap of taps)
            if (!same(one.taps[tap].data, many.taps[tap].data)) different.push([tap, threads, height, width]);
        }
        net.dispose();
      }
      single.dispose();
      return different;
    }, flavour);
    assert.deepEqual(different, [], flavour);
  }
});

test('as many threads as processors, up to eight, unless told otherwise; they end with the net', async () => {
  const processors = await page.evaluate(() => navigator.hardwareConcurrency);
  const { threads, flavour } = await classify({});
  assert.equal(threads, Math.min(processors, 8));
  assert.equal(flavour, threads > 1 ? 'relaxed-threads' : 'relaxed');
  assert.equal((await classify({ threads: 1 })).flavour, 'relaxed');

  await workersBecome(0, 'workers outlive their net');
  const net = await page.evaluateHandle(async () =>
    (await import('/lib/index.js')).load({ backend: 'wasm', threads: 4 }),
  );
  await workersBecome(4, 'the engine and three more');
  await net.evaluate((net) => net.dispose());
  await workersBecome(0, 'workers outlive their net');
});

/** The page on a server whose script of a thread is another: `change` gets the script and returns it, or nothing. */
async function withThreadScript(change, use) {
  const folder = await mkdtemp(path.join(tmpdir(), 'threads-'));
  await cp(path.join(repository, 'dist/site/lib'), folder, { recursive: true });
  const script = path.join(folder, 'thread.js');
  const changed = change(await readFile(script, 'utf8'));
  if (changed === undefined) await rm(script);
  else await writeFile(script, changed);
  const other = await serve(null, { mounts: { ...mounts, '/lib/': folder } });
  try {
    await page.goto(`${other.url}blank/`);
    return await use();
  } finally {
    await other.close();
    await rm(folder, { recursive: true });
  }
}

test('workers that fail or are silent cost the threads, not the answer', async () => {
  for (const [name, script, reason] of [
    ['a script that is missing', undefined, /could not be loaded/],
    ['a script that throws', 'throw new Error("no thread today");', /no thread today/],
    ['a script that is silent', '', /did not answer within 5 s/],
    ['a module that cannot be had', 'postMessage({ error: "no module" });', /no module/],
  ]) {
    const { label, threads, threadsReason } = await withThreadScript(
      () => script,
      () => classify({ threads: 3 }),
    );
    assert.equal(label, cat[0].label, name);
    assert.equal(threads, 1, name);
    assert.match(threadsReason, reason, name);
  }
});

test('a thread that crashes is a crash of the call, and the next call runs on a fresh engine', async () => {
  // The first one leaves a mark and fails when it is told to, as if it had trapped; later ones are sound.
  const failing = `
    await (async () => {
      const marks = await caches.open('threads');
      if (await marks.match('/mark')) return;
      await marks.put('/mark', new Response());
      while (!(await marks.match('/fail'))) await new Promise((resolve) => setTimeout(resolve, 20));
      throw new WebAssembly.RuntimeError('unreachable');
    })(),`;
  const change = (script) => {
    const changed = script.replace(/(\w+\.runThread\(\))/, `${failing}$1`);
    assert.notEqual(changed, script);
    return changed;
  };
  const answers = await withThreadScript(change, () =>
    page.evaluate(async () => {
      const { load } = await import('/lib/index.js');
      const net = await load({ backend: 'wasm', threads: 2 });
      const answers = [(await net.classify('/samples/cat.jpg')).top[0].label];
      await (await caches.open('threads')).put('/fail', new Response());
      for (let tries = 0; tries < 400; tries++) {
        const answer = await net.classify('/samples/cat.jpg').then(
          ({ top }) => top[0].label,
          (error) => error.code,
        );
        if (answers.at(-1) !== answer) answers.push(answer);
        if (answers.includes('crashed') && answer !== 'crashed') break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return [...answers, net.info.threads];
    }),
  );
  assert.deepEqual(answers, [cat[0].label, 'crashed', cat[0].label, 2]);
});

test('a page that is not isolated has one thread, and why', async () => {
  const plain = await serve(null, { coi: false, mounts });
  try {
    await page.goto(`${plain.url}blank/`);
    const { label, threads, threadsReason, flavour } = await classify({});
    assert.deepEqual([label, threads, flavour], [cat[0].label, 1, 'relaxed']);
    assert.match(threadsReason, /cross-origin isolated/);
    assert.equal((await classify({ threads: 1 })).threadsReason, 'One thread was asked for.');
  } finally {
    await plain.close();
  }
});

test('a strict content security policy is no obstacle', async () => {
  const policy = "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
  await page.route('**/*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), 'Content-Security-Policy': policy } });
  });
  await page.goto(`${server.url}blank/`);
  assert.equal((await classify({ threads: 2 })).threads, 2);
});

test('an impossible number of threads is a bad option', async () => {
  for (const threads of [0, -1, 1.5, '2', NaN]) {
    const code = await page.evaluate(
      async (threads) =>
        (await import('/lib/index.js')).load({ threads }).then(
          () => 'no error',
          (error) => error.code,
        ),
      threads,
    );
    assert.equal(code, 'bad-option', String(threads));
  }
});
