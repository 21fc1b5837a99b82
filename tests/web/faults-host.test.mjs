// Faults of the host: what servers, browsers and people do wrong. After each the next call gives the right answer
// or an error with a code, never a wrong or an empty answer.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { launch } from '../../tools/browser.mjs';
import { repository } from '../../tools/serve.mjs';
import { defaultModel } from './support/site.mjs';
import { cat } from './support/golden.mjs';
import { serveSite } from './support/site.mjs';

const modelFile = path.join(repository, 'models', defaultModel);
const html = { status: 200, contentType: 'text/html', body: '<!doctype html><title>Not here</title>' };

let server;
let bare;
let browser;
let page;

before(async () => {
  [server, bare] = await Promise.all([serveSite(), serveSite({ coi: false })]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.close(), bare?.close()]);
});
beforeEach(async () => {
  page = await browser.newPage();
  await page.goto(`${server.url}blank/`);
});
afterEach(() => page?.close());

/**
 * Loads a net in the page with these options, asks it about the cat, and gives what came of it.
 * @returns {Promise<{ code?: string, message?: string, label?: string, probability?: number, worker?: boolean }>}
 */
const ask = (options = {}) =>
  page.evaluate(async (options) => {
    const { load } = await import('/lib/index.js');
    try {
      const net = await load({ backend: 'wasm', ...options });
      const { top } = await net.classify('/samples/cat.jpg');
      const { worker } = net.info;
      net.dispose();
      return { ...top[0], worker };
    } catch ({ code, message }) {
      return { code, message };
    }
  }, options);

function assertCat({ label, probability, message }, what) {
  assert.equal(label, cat[0].label, `${what}: ${message}`);
  assert.ok(
    Math.abs(probability - cat[0].probability) <= 1e-3,
    `${what}: ${probability}, PyTorch has ${cat[0].probability}`,
  );
}

test('a file that the server answers wrongly is named, and once it is there everything works', async () => {
  const wrong = {
    'HTML for the engine': ['**/*.wasm', html, 'network', /engine.*web page/s],
    'no engine': ['**/*.wasm', { status: 404 }, 'network', /404/],
    'HTML for its script': ['**/wasm/**/*.js', html, 'network', /script/],
    'HTML for the model': ['**/*.safetensors', html, 'network', /model.*web page/s],
    'a proxy’s error': [
      '**/*.safetensors',
      { status: 502, contentType: 'text/html', body: 'Bad gateway' },
      'network',
      /502/,
    ],
    'another file': ['**/*.safetensors', { body: 'no model at all' }, 'bad-model', /not a model/i],
    'half an engine': [
      '**/*.wasm',
      { body: (await readFile(path.join(repository, 'dist/site/wasm/fixed/g_ghostnet_bg.wasm'))).subarray(0, 50_000) },
      'unsupported',
      /could not be compiled.*damaged/s,
    ],
  };
  for (const [index, [what, [where, answer, code, words]]] of Object.entries(wrong).entries()) {
    const worker = index % 2 === 0; // A script that could not be imported stays so for its realm: that of a worker ends.
    await page.route(where, (route) => route.fulfill(answer));
    const found = await ask({ worker });
    assert.deepEqual({ what, code: found.code }, { what, code }, found.message);
    assert.match(found.message, words, what);
    await page.unroute(where);
    assertCat(await ask({ worker }), `after ${what}`);
  }
});

test('a wrong content type of the engine or the model is no obstacle', async () => {
  for (const where of ['**/*.wasm', '**/*.safetensors']) {
    await page.route(where, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'content-type': 'text/plain' } });
    });
  }
  for (const worker of [true, false]) assertCat(await ask({ worker }), 'text/plain');
});

test('without the script of the worker it runs in place, unless a worker was asked for', async () => {
  for (const answer of [
    html,
    { contentType: 'text/javascript', body: 'this is no script' },
    { contentType: 'text/javascript', body: 'throw new Error("a worker that fails")' },
  ]) {
    await page.route('**/lib/worker.js', (route) => route.fulfill(answer));
    const found = await ask();
    assertCat(found, JSON.stringify(answer));
    assert.equal(found.worker, false);
    assert.equal((await ask({ worker: true })).code, 'unsupported');
    await page.unroute('**/lib/worker.js');
  }
  assert.equal((await ask()).worker, true);
});

test('a worker that dies fails the call that waits, and the next one has a fresh worker', async () => {
  const dying = `
    addEventListener('message', ({ data: { method, argument } }) => {
      if (method === 'run' && argument.tensor?.dims[3] === 33) setTimeout(() => { throw new Error('died'); });
    });
    const { Net } = await import('/wasm/relaxed/g_ghostnet.js');
    const { forward } = Net.prototype;
    Net.prototype.forward = function (...given) { return given[3] === 33 ? new Promise(() => {}) : forward.apply(this, given); };`;
  await page.route('**/lib/worker.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: dying + (await response.text()) });
  });
  const [code, top] = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const net = await load({ backend: 'wasm', flavour: 'relaxed' });
    const dying = net.forward({ data: new Float32Array(3 * 32 * 33), dims: [1, 3, 32, 33] });
    return [
      await dying.then(
        () => 'answered',
        ({ code }) => code,
      ),
      (await net.classify('/samples/cat.jpg')).top[0],
    ];
  });
  assert.equal(code, 'crashed');
  assertCat(top, 'after the death');
});

test('a trap in the engine itself is a crash with a code, and the next call is right', async () => {
  const [code, message, top, other] = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const { Net } = await import('/wasm/relaxed/g_ghostnet.js');
    const net = await load({ backend: 'wasm', flavour: 'relaxed', worker: false });
    const neighbour = await load({ backend: 'wasm', flavour: 'relaxed', worker: false });
    const { forward } = Net.prototype;
    // The address of the net becomes one beyond the memory: the engine traps where it reads it.
    Net.prototype.forward = function (...given) {
      Net.prototype.forward = forward;
      this.__wbg_ptr = 0xffff_fff0;
      return forward.apply(this, given);
    };
    const { code, message } = await net.classify('/samples/cat.jpg').then(
      () => ({ code: 'no error' }),
      (error) => error,
    );
    const answers = await Promise.all([
      net.classify('/samples/cat.jpg'),
      neighbour.classify('/samples/cat.jpg').catch(() => neighbour.classify('/samples/cat.jpg')),
    ]);
    return [code, message, ...answers.map(({ top }) => top[0])];
  });
  assert.equal(code, 'crashed', message);
  assert.match(message, /out of bounds|unreachable|memory access/);
  assertCat(top, 'after the trap');
  assertCat(other, 'another net of the page');
});

test('neither shared memory, nor cross-origin isolation, nor a cache, nor storage is needed', async () => {
  page = (await page.close(), await browser.newPage());
  await page.addInitScript(() => {
    for (const name of ['SharedArrayBuffer', 'caches', 'indexedDB', 'localStorage']) delete globalThis[name];
  });
  await page.goto(`${bare.url}blank/`);
  const there = await page.evaluate(() => [
    crossOriginIsolated,
    'SharedArrayBuffer' in globalThis,
    'caches' in globalThis,
  ]);
  assert.deepEqual(there, [false, false, false]);
  for (const worker of [true, false]) assertCat(await ask({ worker }), worker ? 'in a worker' : 'in place');
});

test('a download that breaks off is an error, whether its length was announced or not', async () => {
  const model = await readFile(modelFile);
  const broken = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const headers = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };
    const [whole, mode] = [pathname === '/whole', searchParams.get('mode')];
    if (whole || mode === 'announced') headers['Content-Length'] = model.length;
    response.writeHead(200, headers);
    if (whole) response.end(model);
    else response.write(model.subarray(0, 1_000_000), () => (mode === 'silent' ? response.end() : response.destroy()));
  });
  await new Promise((resolve) => broken.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${broken.address().port}`;
  try {
    for (const [mode, code] of [
      ['announced', 'network'],
      ['cut', 'network'],
      ['silent', 'bad-model'],
    ]) {
      for (const worker of [true, false]) {
        const found = await ask({ worker, model: `${url}/model.safetensors?mode=${mode}` });
        assert.deepEqual({ mode, code: found.code }, { mode, code }, found.message);
      }
    }
    assertCat(await ask({ model: `${url}/whole` }), 'the whole file');
  } finally {
    broken.closeAllConnections();
    await new Promise((resolve) => broken.close(resolve));
  }
});

test('offline a net that is loaded goes on; what is not there is a network error, until the line is back', async () => {
  const [{ labels, before }, picture] = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    globalThis.net = await load({ backend: 'wasm' });
    globalThis.picture = await (await fetch('/samples/cat.jpg')).blob();
    return [
      { labels: globalThis.net.info.labels.length, before: (await globalThis.net.classify(globalThis.picture)).top[0] },
      globalThis.picture.size,
    ];
  });
  assert.ok(labels === 10 && picture > 1000);
  await page.context().setOffline(true);
  // The server itself goes too: a worker may be on another line than its page.
  await page.route('**/*', (route) => route.abort('internetdisconnected'));
  const offline = await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    const codeOf = (promise) =>
      promise.then(
        () => 'no error',
        ({ code }) => code,
      );
    return {
      top: (await globalThis.net.classify(globalThis.picture)).top[0],
      url: await codeOf(globalThis.net.classify('/samples/coffee.jpg?offline')),
      load: await codeOf(load({ backend: 'wasm', worker: false })),
    };
  });
  assertCat(offline.top, 'offline');
  assert.deepEqual([offline.url, offline.load], ['network', 'network']);
  await page.context().setOffline(false);
  await page.unroute('**/*');
  assertCat(
    await page.evaluate(async () => (await globalThis.net.classify('/samples/cat.jpg')).top[0]),
    'online again',
  );
  assert.equal(offline.top.probability, before.probability);
  assertCat(await ask(), 'a new net');
});

test('a page that is frozen in the background answers when it is shown again', async () => {
  const client = await page.context().newCDPSession(page);
  await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    globalThis.nets = await Promise.all([true, false].map((worker) => load({ backend: 'wasm', worker })));
    globalThis.later = [];
    // From a timer, so that the calls are under way when the page freezes.
    setTimeout(() => {
      globalThis.later = globalThis.nets.flatMap((net) =>
        Array.from({ length: 4 }, () => net.classify('/samples/cat.jpg')),
      );
    }, 0);
  });
  await page.waitForFunction(() => globalThis.later.length === 8);
  await client.send('Page.setWebLifecycleState', { state: 'frozen' });
  // That it is frozen cannot be asked for: its event comes to hidden pages only.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await client.send('Page.setWebLifecycleState', { state: 'active' });
  const tops = await page.evaluate(async () => (await Promise.all(globalThis.later)).map(({ top }) => top[0]));
  assert.equal(tops.length, 8);
  for (const top of tops) assertCat(top, 'after the freeze');
});
