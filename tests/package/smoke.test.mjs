// The tarball of ./build.sh pack in fresh projects: each bundler and host classifies a photograph as PyTorch does.
// Needs the npm registry. FIREFOX names Firefox's program, where it is not in PATH.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';

import { build, transform } from 'esbuild';
import { launch } from '../../tools/browser.mjs';
import { repository, serve } from '../../tools/serve.mjs';
import { defaultModel } from '../../www/lib/default-model.js';
import {
  assertAnswer,
  browser,
  cat,
  classifyOn,
  golden,
  main,
  page,
  project,
  run,
  version,
  visit,
} from './support.mjs';

const { devDependencies } = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8'));
const model = `node_modules/g-ghostnet/models/${defaultModel}`;

/** The library's scripts find the engine from their own address, so they are left where they are. */
const libraryStays = {
  name: 'library stays',
  setup(bundler) {
    bundler.onResolve({ filter: /^\.\/index\.js$/ }, ({ resolveDir }) =>
      resolveDir.endsWith('g-ghostnet/lib')
        ? { path: './node_modules/g-ghostnet/lib/index.js', external: true }
        : undefined,
    );
  },
};

test('a static page with an import map', async () => {
  await classifyOn(await project('static', { example: 'web-static' }));
});

test('a static page under a strict policy', async () => {
  const folder = await project('policy', {
    files: {
      'index.html': page('<script type="module" src="main.js"></script>'),
      'main.js': `import { load } from './node_modules/g-ghostnet/lib/index.js';${main}
        const net = await load({ worker: true });
        document.querySelector('#file').onchange = (event) => net.classify(event.target.files[0]).then(report, fail);
        answer.textContent = 'Ready';`,
    },
  });
  await classifyOn(folder, {
    policy:
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data:",
  });
});

test('a plain script tag', async () => {
  const folder = await project('script', {
    files: {
      'index.html': page(
        '<script src="node_modules/g-ghostnet/g-ghostnet.global.js"></script><script src="main.js"></script>',
      ),
      'main.js': `${main}
        GGhostNet.load({ worker: true }).then((net) => {
          document.querySelector('#file').onchange = (event) => net.classify(event.target.files[0]).then(report, fail);
          answer.textContent = 'Ready';
        }, fail);`,
    },
  });
  await classifyOn(folder);
});

test('from a CDN: a worker with threads, by full and short addresses and by a bundle of the entry', async () => {
  const folder = await project('cdn', {});
  const package_ = path.join(folder, 'node_modules/g-ghostnet');
  const { outputFiles } = await build({
    entryPoints: [path.join(package_, 'lib/index.js')],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const types = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
  /** What unpkg and jsDelivr answer, but for redirects. */
  const answer = async (url) => {
    const [, file] = /\/g-ghostnet(?:@[\d.]+)?(\/.*)?$/.exec(new URL(url).pathname) ?? [];
    if (file === '/+esm') return { body: outputFiles[0].text, contentType: 'text/javascript' };
    const name = file ?? '/g-ghostnet.global.js';
    return {
      body: await readFile(path.join(package_, name)),
      contentType: types[path.extname(name)] ?? 'application/octet-stream',
    };
  };
  const server = await serve(folder);
  const told =
    '.then(({ info }) => (document.title = `${info.worker} ${info.threads}`), (error) => (document.title = error.message))';
  const script = (address) =>
    `<script crossorigin src="${address}"></script><script>GGhostNet.load({ threads: 2 })${told}</script>`;
  const module = (address) =>
    `<script type="module">import { load } from '${address}'; load({ threads: 2 })${told}</script>`;
  try {
    for (const html of [
      script(`https://unpkg.com/g-ghostnet@${version}/g-ghostnet.global.js`),
      script('https://cdn.jsdelivr.net/npm/g-ghostnet'),
      module(`https://unpkg.com/g-ghostnet@${version}/lib/index.js`),
      module(`https://cdn.jsdelivr.net/npm/g-ghostnet@${version}/lib/index.js`),
      module(`https://cdn.jsdelivr.net/npm/g-ghostnet@${version}/+esm`),
    ]) {
      await writeFile(path.join(folder, 'index.html'), `<!doctype html><link rel="icon" href="data:,">${html}`);
      const context = await browser.newContext();
      await context.route(/^https:/, async (route) => {
        const headers = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' };
        const found = await answer(route.request().url()).catch(() => ({ status: 404, body: '' }));
        await route.fulfill({ ...found, headers: { 'Content-Type': found.contentType ?? 'text/plain', ...headers } });
      });
      const page = await context.newPage();
      await page.goto(server.url);
      await page.waitForFunction(() => document.title, undefined, { timeout: 60e3 });
      assert.equal(await page.title(), 'true 2', html);
      await context.close();
    }
  } finally {
    await server.close();
  }
});

test('a module worker of the page’s own', async () => {
  const folder = await project('worker', {
    files: {
      'index.html': page('<script type="module" src="main.js"></script>'),
      'main.js': `${main}
        const worker = new Worker('own.js', { type: 'module' });
        worker.onmessage = ({ data }) => (data === 'Ready' ? (answer.textContent = data) : data.top ? report(data) : fail(data));
        document.querySelector('#file').onchange = (event) => worker.postMessage(event.target.files[0]);`,
      'own.js': `import { load } from './node_modules/g-ghostnet/lib/index.js';
        const net = await load({ worker: false });
        onmessage = ({ data }) => net.classify(data).then(({ top }) => postMessage({ top }), ({ code, message }) => postMessage({ code, message }));
        postMessage('Ready');`,
    },
  });
  await classifyOn(folder);
});

test('the custom elements', async () => {
  const folder = await project('element', {
    files: {
      'index.html': page(
        `<g-ghostnet-classifier top="1"></g-ghostnet-classifier><g-ghostnet-maps></g-ghostnet-maps><script type="module" src="main.js"></script>`,
      ),
      'main.js': `import './node_modules/g-ghostnet/lib/element.js';${main}
        const element = document.querySelector('g-ghostnet-classifier');
        const maps = document.querySelector('g-ghostnet-maps');
        element.addEventListener('result', ({ detail }) => report(detail));
        element.addEventListener('failure', ({ detail }) => fail(detail));
        document.querySelector('#file').onchange = async ({ target }) => {
          const inner = element.shadowRoot.querySelector('input');
          inner.files = target.files;
          const net = await element.net;
          const found = await net.features(target.files[0], { stage: 3 });
          maps.maps = found.maps[found.stage.last];
          if (maps.shadowRoot.querySelector('canvas').width < 200) throw new Error('no maps were drawn');
          inner.dispatchEvent(new Event('change'));
        };
        await element.net;
        answer.textContent = 'Ready';`,
    },
  });
  await classifyOn(folder, {
    policy:
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data: blob:",
  });
});

test('the explorer as an element: the library’s own numbers, pairs by hovering, a control, another stage', async () => {
  const folder = await project('explorer', { example: 'web-explorer' });
  const coffee = path.join(repository, 'www/samples/coffee.jpg');
  for (const [name, file] of [
    ['cat.jpg', cat],
    ['coffee.jpg', coffee],
  ])
    await cp(file, path.join(folder, name));
  await visit(folder, async (page) => {
    await page.locator('#pair', { hasText: 'Ready' }).waitFor();
    await page.setInputFiles('#file', [cat, coffee]);
    const sentence = page.locator('#headline', { hasText: /In stage 3,\s+\d+ of 240/ });
    await sentence.waitFor();
    await page.locator('#stage-note', { hasText: 'By chance' }).waitFor();
    const expected = await page.evaluate(async () => {
      const { load, openSimilarity } = await import('g-ghostnet');
      const net = await load();
      const [own, other] = await net.features(['cat.jpg', 'coffee.jpg'], { stage: 3 });
      const similarity = await openSimilarity();
      const { first, last } = own.stage;
      const near = ({ bestOfB }) => bestOfB.score.filter((r) => Math.abs(r) > 0.7).length;
      const found = await similarity.correlate(own.maps[first], own.maps[last]);
      const chance = await similarity.correlate(other.maps[first], own.maps[last]);
      similarity.close();
      net.dispose();
      return {
        near: near(found),
        chance: near(chance),
        match: [...found.bestOfB.match],
        score: [...found.bestOfB.score],
      };
    });
    assert.match(await sentence.textContent(), new RegExp(`\\b${expected.near} of 240`));
    assert.match(await page.textContent('#stage-note'), new RegExp(`\\b${expected.chance}\\b`));
    const box = await page.locator('#last canvas.maps').boundingBox();
    await page.mouse.move(box.x + 90, box.y + 30);
    await page.locator('#pair', { hasText: /^Maps/ }).waitFor();
    const [, first, last, r] = (await page.textContent('#pair')).match(/^Maps (\d+) and (\d+): r = (-?\d\.\d+)$/);
    assert.equal(Number(first), expected.match[last]);
    assert.ok(Math.abs(Number(r) - expected.score[last]) < 1e-3);
    await page.click('#tab-ghost');
    await page.locator('.term:not(.made)').first().waitFor();
    await page.evaluate(() => document.querySelector('g-ghostnet-explorer').setAttribute('stage', '2'));
    await page.locator('#headline', { hasText: 'In stage 2' }).waitFor();
  });
});

test('each view of the explorer as an element of its own, under a strict policy and in Chinese', async () => {
  const tags = ['twins', 'ghost-path', 'similarity', 'numbers'];
  const folder = await project('views', {
    files: {
      'index.html': `<!doctype html><html lang="zh"><meta charset="utf-8"><link rel="icon" href="data:,">${tags.map((tag) => `<g-ghostnet-${tag} stage="layer2" theme="dark"></g-ghostnet-${tag}>`).join('')}<script type="module" src="main.js"></script>`,
      'main.js': `import { load } from './node_modules/g-ghostnet/lib/index.js';
        const net = await load();
        for (const element of document.body.children) {
          element.net = net; // before the element is known
          element.picture = 'cat.jpg';
          element.addEventListener?.('failure', ({ detail }) => console.error(detail.message));
        }
        await import('./node_modules/g-ghostnet/lib/explorer.js');`,
    },
  });
  await cp(cat, path.join(folder, 'cat.jpg'));
  await visit(
    folder,
    async (page) => {
      await page.locator('g-ghostnet-twins #pair-score').waitFor();
      await page.locator('g-ghostnet-ghost-path .term:not(.made)').first().waitFor();
      await page.locator('g-ghostnet-similarity #figures', { hasText: /\d\.\d\d/ }).waitFor();
      await page.locator('g-ghostnet-numbers [data-value="alone-own-cka"]', { hasText: /\d/ }).waitFor();
      assert.match(await page.textContent('g-ghostnet-numbers #measures'), /打乱/);
      assert.equal(await page.locator('[role="tab"]').count(), 0);
      for (const [tag, canvas] of [
        ['twins', '#last canvas.maps'],
        ['ghost-path', '#path-ghost canvas.maps'],
        ['similarity', '.matrix canvas'],
      ]) {
        const colours = await page
          .locator(`g-ghostnet-${tag} ${canvas}`)
          .evaluate(
            (canvas) =>
              new Set(
                new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer),
              ).size,
          );
        assert.ok(colours > 50, `${tag}: ${colours} colours`);
      }
      assert.equal(
        await page
          .locator('g-ghostnet-twins [part="frame"]')
          .evaluate((frame) => getComputedStyle(frame).backgroundColor),
        'rgb(29, 29, 28)',
      );
      // An element that leaves ends what it began; it can come back.
      await page.evaluate(() => {
        const [element] = document.querySelectorAll('g-ghostnet-twins');
        element.remove();
        document.body.append(element);
      });
      await page.locator('g-ghostnet-numbers + script + g-ghostnet-twins #pair-score').waitFor();
    },
    {
      policy:
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data:",
    },
  );
});

test('the camera', async () => {
  const folder = await project('webcam', { example: 'web-webcam' });
  const server = await serve(folder, { coi: false });
  const withCamera = await launch({ args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] });
  try {
    const page = await withCamera.newPage();
    await page.goto(server.url);
    await page.click('#start');
    await page.waitForFunction(() => /^.+ \d\.\d\d\n[^]*\d ms$/.test(document.querySelector('#answer').textContent));
    const first = await page.textContent('#answer');
    await page.waitForFunction((first) => document.querySelector('#answer').textContent !== first, first);
  } finally {
    await withCamera.close();
    await server.close();
  }
});

test('Vite and TypeScript', async () => {
  const folder = await project('vite', { example: 'web-vite' });
  await run('npm', ['run', 'build'], { cwd: folder });
  await classifyOn(path.join(folder, 'dist'));
});

test('webpack 5 and React', async () => {
  const folder = await project('webpack', { example: 'web-react' });
  await run('npm', ['run', 'build'], { cwd: folder });
  await rm(path.join(folder, 'node_modules'), { recursive: true });
  await classifyOn(folder);
});

test('React: options written in place load once, in StrictMode and over fast remounts; none of them loops', async () => {
  const folder = await project('hooks', {
    packages: ['react@19', 'react-dom@19'],
    files: {
      'index.html': `<!doctype html><link rel="icon" href="data:,"><main></main><script type="module" src="bundle.js"></script>`,
      'main.jsx': `
        import { StrictMode, useState } from 'react';
        import { createRoot } from 'react-dom/client';
        import { useClassification, useGGhostNet } from 'g-ghostnet/react';
        const { Worker } = globalThis;
        window.started = 0;
        window.live = 0;
        window.warnings = [];
        window.renders = 0;
        globalThis.Worker = class extends Worker {
          constructor(...given) { super(...given); window.started++; window.live++; }
          terminate() { window.live--; return super.terminate(); }
        };
        const warn = console.warn;
        console.warn = (...given) => window.warnings.push(given.join(' '));
        const bytes = new Uint8Array(await (await fetch('${model}')).arrayBuffer());
        const options = {
          address: () => ({ model: new URL('${model}', location.href), labels: Array.from({ length: 498 }, (_, i) => 'class ' + i), backend: 'wasm' }),
          'kept bytes': () => ({ model: bytes, backend: 'wasm' }),
          'new bytes': () => ({ model: bytes.slice(), backend: 'wasm' }),
          'new Blob': () => ({ model: new Blob([bytes]), backend: 'wasm' }),
          nothing: () => undefined,
        };
        function Answer({ name, picture }) {
          window.renders++;
          const { net, error } = useGGhostNet(options[name]());
          const { result, error: failure } = useClassification(net, picture === 'URL' ? new URL('cat.jpg', location.href) : picture && { ...picture }, { topK: 1 });
          return <p id="answer">{(error ?? failure)?.message ?? (result ? 'answered ' + result.top[0].index : net ? 'loaded' : 'loading')}</p>;
        }
        function App() {
          const [shown, setShown] = useState();
          window.show = setShown;
          return shown ? <Answer key={shown.key} name={shown.name} picture={shown.picture} /> : null;
        }
        createRoot(document.querySelector('main')).render(<StrictMode><App /></StrictMode>);
        window.pixels = { data: new Uint8Array(4 * 64 * 64).fill(200), width: 64, height: 64 };`,
    },
  });
  await cp(cat, path.join(folder, 'cat.jpg'));
  const entry = {
    entryPoints: [path.join(folder, 'main.jsx')],
    outfile: path.join(folder, 'bundle.js'),
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    target: 'es2022',
  };
  await build({
    ...entry,
    define: { 'process.env.NODE_ENV': '"development"' },
    absWorkingDir: folder,
    plugins: [libraryStays],
    logLevel: 'error',
  });
  await visit(folder, async (page) => {
    await page.waitForFunction(() => window.show);
    const counts = () =>
      page.evaluate(() => ({
        started: window.started,
        live: window.live,
        renders: window.renders,
        warnings: window.warnings,
      }));
    for (const [name, most, warned] of [
      ['address', 1, 0],
      ['kept bytes', 1, 0],
      ['nothing', 1, 0],
      ['new bytes', 3, 1],
      ['new Blob', 3, 1],
    ]) {
      await page.evaluate((name) => {
        Object.assign(window, { started: 0, renders: 0 });
        window.show({ name, key: name, picture: 'URL' });
      }, name);
      await page.locator('#answer', { hasText: 'answered' }).waitFor();
      await page.waitForTimeout(1000);
      const { started, live, renders, warnings } = await counts();
      assert.ok(started >= 1 && started <= most, `${name}: ${started} workers`);
      assert.equal(live, 1, name);
      assert.ok(renders < 400, `${name}: ${renders} renders`);
      assert.equal(
        warnings.filter((words) => words.includes('model is another object at every render')).length,
        warned,
        `${name}: ${warnings}`,
      );
    }
    // A picture that is a new object at every render ends too.
    await page.evaluate(() => window.show({ name: 'address', key: 'pixels', picture: window.pixels }));
    await page.locator('#answer', { hasText: 'answered' }).waitFor();
    // Fast remounts leave one net behind.
    await page.evaluate(async () => {
      for (let i = 0; i < 20; i++) {
        window.show(i % 2 ? undefined : { name: 'address', key: i, picture: 'URL' });
        await new Promise((resolve) => setTimeout(resolve, 10 * (i % 4)));
      }
      window.show({ name: 'nothing', key: 'last', picture: 'URL' });
    });
    await page.locator('#answer', { hasText: 'answered' }).waitFor();
    await page.waitForTimeout(1000);
    assert.equal((await counts()).live, 1);
    await page.evaluate(() => window.show(undefined));
    await page.waitForTimeout(500);
    assert.equal((await counts()).live, 0);
  });
});

test('sharp is optional for bundlers, too: a server’s bundle builds without it', async () => {
  const folder = await project('optional', {
    packages: [
      'webpack@5',
      'webpack-cli@6',
      `esbuild@${devDependencies.esbuild}`,
      'rollup@4',
      '@rollup/plugin-node-resolve@16',
    ],
    files: {
      'main.js': "import { load } from 'g-ghostnet/node';\nexport { load };\n",
      'webpack.config.cjs':
        "module.exports = { mode: 'production', target: 'node', entry: './main.js', output: { path: __dirname + '/webpack', filename: 'main.cjs', library: { type: 'commonjs2' } } };",
    },
  });
  await assert.rejects(readFile(path.join(folder, 'node_modules/sharp/package.json')));
  const { stdout } = await run('npx', ['webpack'], { cwd: folder }).catch((error) => assert.fail(error.stdout));
  assert.match(stdout, /compiled successfully|compiled with \d+ warning/);
  await run(
    'npx',
    ['esbuild', 'main.js', '--bundle', '--platform=node', '--format=esm', '--outfile=esbuild.mjs', '--log-level=error'],
    { cwd: folder },
  );
  await run('npx', ['rollup', 'main.js', '-p', 'node-resolve', '-d', 'rollup', '-f', 'es', '--external', 'react'], {
    cwd: folder,
  });
});

test('esbuild, with the engine inside the script', async () => {
  const folder = await project('esbuild', {
    packages: [`esbuild@${devDependencies.esbuild}`],
    files: {
      'index.html': page('<script type="module" src="bundle.js"></script>'),
      'main.js': `import { load } from 'g-ghostnet/inline';${main}
        const net = await load({ model: 'model.safetensors' });
        document.querySelector('#file').onchange = (event) => net.classify(event.target.files[0]).then(report, fail);
        answer.textContent = 'Ready';`,
    },
  });
  await run('npx', ['esbuild', 'main.js', '--bundle', '--format=esm', '--outfile=bundle.js', '--log-level=error'], {
    cwd: folder,
  });
  await cp(path.join(folder, model), path.join(folder, 'model.safetensors'));
  await rm(path.join(folder, 'node_modules'), { recursive: true });
  await classifyOn(folder);
});

test('a server that renders imports every entry and touches nothing of the browser', async () => {
  const folder = await project('server', {
    packages: ['react@19.3.1', 'react-dom@19.3.1'],
    files: {
      'render.js': `
        for (const name of ['window', 'document', 'self']) Object.defineProperty(globalThis, name, { get() { throw new Error(name + ' was touched'); } });
        Object.defineProperty(globalThis, 'navigator', { get() { throw new Error('navigator was touched'); } });
        for (const entry of ['', '/react', '/element', '/explorer', '/draw', '/node', '/inline', '/service-worker']) await import('g-ghostnet' + entry);
        for (const file of ['index.js', 'react.js']) await import('./node_modules/g-ghostnet/lib/' + file); // as a browser would
        console.log('imported');`,
      'component.js': `
        import { createElement } from 'react';
        import { renderToString } from 'react-dom/server';
        import { useGGhostNet } from 'g-ghostnet/react';
        console.log(renderToString(createElement(() => createElement('p', null, useGGhostNet().net ? 'loaded' : 'waiting'))));`,
    },
  });
  assert.equal((await run('node', ['render.js'], { cwd: folder })).stdout, 'imported\n');
  assert.equal((await run('node', ['component.js'], { cwd: folder })).stdout, '<p>waiting</p>\n');
});

test('Node by itself, and the command', async () => {
  const folder = await project('node', { example: 'node-classify' });
  const { stdout } = await run('node', ['classify.js', cat, path.join(repository, 'www/samples/coffee.jpg')], {
    cwd: folder,
  });
  const [first, , last] = stdout.split('\n');
  assertAnswer(first.split('\t').slice(1).join(' '));
  assert.match(last, /are most alike: 0\.\d{3}$/);
  const command = await run('npx', ['g-ghostnet', 'classify', cat, '--json', '--top', '2'], { cwd: folder });
  const [{ file, top }] = JSON.parse(command.stdout);
  assert.equal(file, cat);
  assertAnswer(`${top[0].label} ${top[0].probability}`);
  assert.equal(top.length, 2);
  const failed = await run('npx', ['g-ghostnet', 'classify', 'missing.jpg'], { cwd: folder }).catch((error) => error);
  assert.equal(failed.code, 1);
});

test('Firefox: without WebGPU it falls back to WebAssembly and says so', async () => {
  const folder = await project('firefox', {});
  const answer = await new Promise((resolve, reject) => {
    // No driver: the page itself reports, by asking for an address.
    const html = `<!doctype html><link rel="icon" href="data:,"><script type="module">
      import { load } from '/node_modules/g-ghostnet/lib/index.js';
      const say = (text) => fetch('/report?' + encodeURIComponent(text));
      try {
        const net = await load();
        const { top, backend, backendReason } = await net.classify('/cat.jpg');
        await say([top[0].label + ' ' + top[0].probability, backend, backendReason, net.info.worker, navigator.userAgent].join('|'));
      } catch (error) { await say(error.code + ': ' + error.message); }
    </script>`;
    const types = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
    const server = http.createServer(async (request, response) => {
      const [address, query = ''] = request.url.split('?');
      if (address === '/report') {
        response.end();
        stop();
        resolve(decodeURIComponent(query));
        return;
      }
      response.setHeader(
        'Content-Type',
        types[path.extname(address)] ?? (address === '/' ? 'text/html' : 'application/octet-stream'),
      );
      response.end(
        address === '/'
          ? html
          : await readFile(address === '/cat.jpg' ? cat : path.join(folder, address)).catch(() => ''),
      );
    });
    let firefox;
    const stop = () => {
      clearTimeout(timer);
      firefox?.kill();
      server.close();
      server.closeAllConnections();
    };
    const timer = setTimeout(() => (stop(), reject(new Error('Firefox did not report within two minutes'))), 120e3);
    server.listen(0, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${server.address().port}/`;
      const program = process.env.FIREFOX ?? 'firefox-esr';
      firefox = execFile(program, ['--headless', '--no-remote', '--profile', path.join(folder, 'profile'), url], {
        env: { ...process.env, HOME: folder },
      });
      firefox.on('error', (error) => (stop(), reject(error)));
    });
    mkdir(path.join(folder, 'profile'));
  });
  const [top, backend, reason, worker, agent] = answer.split('|');
  assertAnswer(top);
  assert.equal(backend, 'wasm');
  assert.equal(reason, 'This browser has no WebGPU.');
  assert.equal(worker, 'true');
  assert.match(agent, /Firefox/);
});

/** The examples of the README: `[whole, language, code]`. */
async function examples(languages) {
  const readme = await readFile(path.join(repository, 'www/lib/README.md'), 'utf8');
  return [...readme.matchAll(new RegExp(`\`\`\`(${languages})\\n([\\s\\S]*?)\`\`\``, 'g'))];
}

test('the examples of the README run', async () => {
  const folder = await project('readme', { packages: ['react@19', 'react-dom@19', `sharp@${devDependencies.sharp}`] });
  const samples = { photo: 'cat', one: 'cat', two: 'coffee', three: 'dahlia', four: 'pavilion' };
  for (const [name, sample] of Object.entries(samples))
    await cp(path.join(repository, `www/samples/${sample}.jpg`), path.join(folder, `${name}.jpg`));
  const { exports } = JSON.parse(await readFile(path.join(folder, 'node_modules/g-ghostnet/package.json'), 'utf8'));
  const imports = Object.fromEntries(
    Object.entries(exports)
      .filter(([name]) => !name.includes('*'))
      .map(([name, value]) => [
        `g-ghostnet${name.slice(1)}`,
        `./node_modules/g-ghostnet/${(value.browser ?? value.default ?? value).slice(2)}`,
      ]),
  );
  const head = `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${JSON.stringify({ imports })}</script>`;
  const server = await serve(folder, { coi: false });
  const ran = { browser: 0, node: 0, react: 0, html: 0 };

  /** Opens a page with a body and waits until it has said something or `until` holds; what it said. */
  const said = async (body, act = () => {}) => {
    await writeFile(path.join(folder, 'index.html'), head + body);
    const page = await browser.newPage();
    const [lines, failures] = [[], []];
    page.on('console', (message) => (message.type() === 'error' ? failures : lines).push(message.text()));
    page.on('pageerror', (error) => failures.push(error.message));
    try {
      await page.goto(server.url);
      await act(page);
      await page
        .waitForFunction(() => window.finished, undefined, { timeout: 60e3 })
        .catch((error) => failures.push(error.message));
      // Console messages come after what made them.
      await page.waitForTimeout(200);
    } finally {
      await page.close();
    }
    assert.deepEqual(failures, [], body);
    return lines.join('\n');
  };
  const photo = '<img src="photo.jpg"><canvas></canvas>';
  const loaded = 'await document.querySelector("img").decode();';

  try {
    for (const [, language, code] of await examples('js|ts|tsx|html')) {
      if (language === 'html' && code.includes('g-ghostnet-classifier')) {
        const body = `${code}<script type="module">document.querySelector('g-ghostnet-classifier').addEventListener('result', ({ detail }) => { console.log(detail.top[0].label); window.finished = true; });</script>`;
        const text = await said(body, async (page) =>
          page.setInputFiles('g-ghostnet-classifier input[type=file]', cat),
        );
        assert.match(text, new RegExp(golden[0].label));
        ran.html++;
      } else if (language === 'html' && code.includes('g-ghostnet-explorer')) {
        const text = await said(code, async (page) => {
          const box = await page.locator('g-ghostnet-explorer #last canvas.maps').boundingBox();
          await page.locator('g-ghostnet-explorer #pair-score').waitFor();
          await page.mouse.move(box.x + 40, box.y + 40);
          await page.locator('g-ghostnet-explorer #stage-note', { hasText: 'By chance' }).waitFor();
          await page.evaluate(() => (window.finished = true));
        });
        assert.match(text, /^\d+ \d+ -?[\d.]+/);
        ran.html++;
      } else if (language === 'html') {
        await said(code.replace('console.log(top)', '{ console.log(top[0].label); window.finished = true; }'));
        ran.html++;
      } else if (language === 'tsx') {
        const entry = `${code}\nimport { createRoot } from 'react-dom/client';\ncreateRoot(document.querySelector('main')!).render(<Classifier />);`;
        await writeFile(path.join(folder, 'entry.tsx'), entry);
        await build({
          entryPoints: [path.join(folder, 'entry.tsx')],
          outfile: path.join(folder, 'entry.js'),
          bundle: true,
          format: 'esm',
          jsx: 'automatic',
          define: { 'process.env.NODE_ENV': '"production"' },
          absWorkingDir: folder,
          plugins: [libraryStays],
          logLevel: 'error',
        });
        await said('<main></main><script type="module" src="entry.js"></script>', async (page) => {
          await page.setInputFiles('input[type=file]', cat);
          await page.waitForFunction(
            (label) => {
              window.finished = document.querySelector('li')?.textContent.startsWith(label);
              return window.finished;
            },
            golden[0].label,
            { timeout: 60e3 },
          );
        });
        ran.react++;
      } else {
        const { code: script } = await transform(code, { loader: 'ts' });
        if (code.includes('g-ghostnet/node')) {
          await writeFile(path.join(folder, 'example.mjs'), script);
          const { stdout } = await run('node', ['example.mjs'], { cwd: folder });
          assert.match(stdout, new RegExp(`${golden[0].label} 0\\.\\d{3}`));
          ran.node++;
        } else {
          // Imports come first in a module.
          const [, first, rest] = script.match(/^((?:import .*\n)*)([\s\S]*)$/);
          const text = await said(
            `${photo}<script type="module">${first}${loaded}${rest}\nwindow.finished = true;</script>`,
          );
          assert.ok(text.length > 0, code);
          ran.browser++;
        }
      }
    }
  } finally {
    await server.close();
  }
  assert.ok(ran.browser >= 3 && ran.node >= 1 && ran.react === 1 && ran.html === 3, JSON.stringify(ran));
});

test('the examples of the README compile under tsc --strict', async () => {
  const blocks = await examples('ts|tsx|js');
  assert.ok(blocks.length >= 5, 'the README has examples');
  const files = Object.fromEntries(
    blocks.map(([, language, code], i) => [`example${i}.${language === 'js' ? 'ts' : language}`, code]),
  );
  const folder = await project('types', {
    files: {
      ...files,
      'global.ts':
        "import 'g-ghostnet/global';\nimport 'g-ghostnet/element';\nimport 'g-ghostnet/explorer';\nGGhostNet.load().then(({ info }) => info.params.toFixed());\ndocument.querySelector('g-ghostnet-maps')!.maps?.dims;\ndocument.querySelector('g-ghostnet-explorer')!.others?.length;\ndocument.querySelector('g-ghostnet-classifier')!.addEventListener('result', ({ detail }) => detail.top[0].label);\ndocument.querySelector('g-ghostnet-maps')!.addEventListener('point', ({ detail }) => detail.toFixed());\n",
      'wrong.ts':
        "import { load } from 'g-ghostnet';\n// @ts-expect-error an unknown backend is refused\nload({ backend: 'cuda' });\n",
    },
    packages: [`typescript@${devDependencies.typescript}`, '@types/react@19', '@types/node@20'],
  });
  for (const resolution of ['bundler', 'nodenext']) {
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext';
    const options = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--lib',
      'es2022,dom,dom.iterable',
      '--jsx',
      'react-jsx',
      '--module',
      module,
      '--moduleResolution',
      resolution,
      '--types',
      'node',
    ];
    const { code, stdout } = await run('npx', ['tsc', ...options, ...Object.keys(files), 'global.ts', 'wrong.ts'], {
      cwd: folder,
    }).catch((error) => error);
    assert.equal(code ?? 0, 0, stdout);
  }
});

test('the types ask for no library of TypeScript’s beside the language’s own, and check without skipLibCheck', async () => {
  const using = (name, { head = '', input = "'photo.jpg'" } = {}) =>
    `import { load } from '${name}';\n${head}export const top = load({ backend: 'wasm' })\n  .then((net) => net.classify(${input}))\n  .then(({ top }) => top[0].label.length);\n`;
  const folder = await project('bare-types', {
    files: {
      'main.ts': using('g-ghostnet'),
      'node.ts': using('g-ghostnet/node'),
      'inline.ts': using('g-ghostnet/inline'),
      'service.ts': using('g-ghostnet/service-worker'),
      'draw.ts': "export { layOut } from 'g-ghostnet/draw';\n",
      // Without the classes of a browser a net takes none of them, and still no number.
      'wrong.ts': using('g-ghostnet', { input: '// @ts-expect-error a number is no picture\n      3' }),
      'dom.ts': using('g-ghostnet', {
        head: 'declare const image: HTMLImageElement, file: File, frame: VideoFrame;\n',
        input: '[image, file, frame, new URL(location.href)]',
      }).replace('({ top })', '([{ top }])'),
      'only-load.ts':
        "// @ts-expect-error it has none\nimport { openSimilarity } from 'g-ghostnet/inline';\nexport default openSimilarity;\n",
    },
    packages: [`typescript@${devDependencies.typescript}`, '@types/node@20'],
  });
  const bare = ['main.ts', 'node.ts', 'inline.ts', 'service.ts', 'draw.ts', 'wrong.ts', 'only-load.ts'];
  for (const [lib, types, files] of [
    [['ES2022'], [], bare],
    [['ES2022'], ['node'], bare],
    [['ES2022', 'DOM'], [], [...bare, 'dom.ts']],
  ]) {
    for (const module of ['esnext', 'nodenext']) {
      const compilerOptions = {
        lib,
        types,
        module,
        moduleResolution: module === 'nodenext' ? 'nodenext' : 'bundler',
        target: 'es2022',
        strict: true,
        skipLibCheck: false,
        noEmit: true,
      };
      await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
      const { code, stdout } = await run('npx', ['tsc', '-p', '.'], { cwd: folder }).catch((error) => error);
      assert.equal(code ?? 0, 0, `${lib}, ${types}, ${module}: ${stdout}`);
    }
  }
});
