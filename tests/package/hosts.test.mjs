// The package in fresh projects of many hosts, with their default settings and what the manual's table says, no more:
// each builds and serves a page that classifies a photograph as PyTorch does, and servers do so by a route.
// Takes half an hour and the npm registry; ./build.sh pack --hosts, by night. HOSTS=parcel,nuxt chooses some.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';

import { assertAnswer, browser, cat, classifyOn, main, page, project, run } from './support.mjs';

/** A page and its script, as every host without one of its own gets them. */
const app = {
  'index.html': page('<script type="module" src="./main.js"></script>'),
  'main.js': `import { load } from 'g-ghostnet';${main}
    load({ worker: true }).then((net) => {
      document.querySelector('#file').onchange = (event) => net.classify(event.target.files[0]).then(report, fail);
      answer.textContent = 'Ready';
    }, fail);`,
};
const route = (answer) => `import { load } from 'g-ghostnet/node';
  let net;
  ${answer('net ??= await load(); const { top } = await net.classify(body); return')}`;
const react = `'use client';
  import { useState } from 'react';
  import { useClassification, useGGhostNet } from 'g-ghostnet/react';
  export default function Page() {
    const [file, setFile] = useState();
    const { net, error: loadError } = useGGhostNet();
    const { result, error } = useClassification(net, file);
    const text = (loadError ?? error)?.message ?? (result ? result.top[0].label + ' ' + result.top[0].probability : net ? 'Ready' : 'Loading');
    return <main><input id="file" type="file" onChange={(event) => setFile(event.target.files[0])} /><pre id="answer">{text}</pre></main>;
  }`;
const next = (flag) => ({
  packages: ['next@16', 'react@19', 'react-dom@19', 'sharp'],
  manifest: { type: undefined },
  files: {
    'app/layout.js': 'export default ({ children }) => <html><body>{children}</body></html>;',
    'app/page.js': react,
    'app/api/route.js': route(
      (body) =>
        `export async function POST(request) { const body = await request.blob(); ${body} Response.json(top); }`,
    ),
  },
  dev: ['npx', 'next', 'dev', flag, '--port', 'PORT'],
  build: ['npx', 'next', 'build', flag],
  start: ['npx', 'next', 'start', '--port', 'PORT'],
  route: 'api',
});
const vite = (version) => ({
  packages: [`vite@${version}`],
  files: app,
  dev: ['npx', 'vite', '--port', 'PORT', '--host', '127.0.0.1'],
  build: ['npx', 'vite', 'build'],
  folder: 'dist',
});

/**
 * `dev` and `start` are commands that serve at PORT, `folder` is what a build makes for any server, `route` an address
 * that takes a photograph.
 */
const hosts = {
  'vite 5': vite(5),
  'vite 6': vite(6),
  'vite 7': vite(7),
  'vite 8': vite(8),
  astro: {
    packages: ['astro@6'],
    files: { 'src/pages/index.astro': page(`<script>${app['main.js']}</script>`) },
    dev: ['npx', 'astro', 'dev', '--port', 'PORT', '--host', '127.0.0.1'],
    build: ['npx', 'astro', 'build'],
    folder: 'dist',
  },
  parcel: {
    packages: ['parcel@2'],
    files: app,
    dev: ['npx', 'parcel', 'index.html', '--port', 'PORT'],
    build: ['npx', 'parcel', 'build', 'index.html'],
    folder: 'dist',
  },
  rspack: {
    packages: ['@rspack/core@2', '@rspack/cli@2', '@rspack/dev-server@2'],
    files: {
      'main.js': app['main.js'],
      'index.html': page(''),
      'rspack.config.mjs': `import rspack from '@rspack/core';
        export default { entry: './main.js', plugins: [new rspack.HtmlRspackPlugin({ template: 'index.html', scriptLoading: 'module' })] };`,
    },
    dev: ['npx', 'rspack', 'serve', '--port', 'PORT'],
    build: ['npx', 'rspack', 'build', '--mode', 'production'],
    folder: 'dist',
  },
  'next turbopack': next('--turbopack'),
  'next webpack': next('--webpack'),
  nuxt: {
    packages: ['nuxt@4', 'vue@3', 'vue-router@5', 'sharp'],
    files: {
      'nuxt.config.js': "export default defineNuxtConfig({ compatibilityDate: '2026-01-01', telemetry: false });",
      'app/app.vue': `<script setup>
          import { load } from 'g-ghostnet';
          const text = ref('Loading');
          let net;
          const fail = (error) => (text.value = error.message);
          onMounted(() => load().then((loaded) => { net = loaded; text.value = 'Ready'; }, fail));
          const choose = ({ target }) => net.classify(target.files[0]).then(({ top }) => (text.value = top[0].label + ' ' + top[0].probability), fail);
        </script>
        <template><div><input id="file" type="file" @change="choose"><pre id="answer">{{ text }}</pre></div></template>`,
      'server/api/classify.post.js': route(
        (body) =>
          `export default defineEventHandler(async (event) => { const body = await readRawBody(event, false); ${body} top; });`,
      ),
    },
    build: ['npx', 'nuxt', 'build'],
    start: ['node', '.output/server/index.mjs'],
    route: 'api/classify',
  },
  sveltekit: {
    packages: [
      '@sveltejs/kit@2',
      '@sveltejs/adapter-node@5',
      '@sveltejs/vite-plugin-svelte@7',
      'svelte@5',
      'vite@8',
      'sharp',
    ],
    files: {
      'vite.config.js': "import { sveltekit } from '@sveltejs/kit/vite';\nexport default { plugins: [sveltekit()] };",
      'svelte.config.js':
        "import adapter from '@sveltejs/adapter-node';\nexport default { kit: { adapter: adapter() } };",
      'src/app.html': '<!doctype html><html><head>%sveltekit.head%</head><body>%sveltekit.body%</body></html>',
      'src/routes/+page.svelte': `<script>
          import { onMount } from 'svelte';
          import { load } from 'g-ghostnet';
          let text = $state('Loading');
          let net;
          const fail = (error) => (text = error.message);
          onMount(() => { load().then((loaded) => { net = loaded; text = 'Ready'; }, fail); });
          const choose = ({ target }) => net.classify(target.files[0]).then(({ top }) => (text = top[0].label + ' ' + top[0].probability), fail);
        </script>
        <input id="file" type="file" onchange={choose} /><pre id="answer">{text}</pre>`,
      'src/routes/api/+server.js': route(
        (body) =>
          `export async function POST({ request }) { const body = await request.blob(); ${body} Response.json(top); }`,
      ),
    },
    build: ['npx', 'vite', 'build'],
    start: ['node', 'build/index.js'],
    route: 'api',
  },
  angular: {
    packages: [
      '@angular/core@22',
      '@angular/common@22',
      '@angular/compiler@22',
      '@angular/platform-browser@22',
      '@angular/build@22',
      '@angular/cli@22',
      '@angular/compiler-cli@22',
      'rxjs@7',
      'tslib@2',
      'typescript@6',
    ],
    files: {
      'angular.json': JSON.stringify({
        version: 1,
        cli: { analytics: false },
        projects: {
          app: {
            projectType: 'application',
            root: '',
            sourceRoot: 'src',
            architect: {
              build: {
                builder: '@angular/build:application',
                options: {
                  browser: 'src/main.ts',
                  tsConfig: 'tsconfig.json',
                  assets: [{ glob: '**/*', input: 'node_modules/g-ghostnet', output: 'g-ghostnet' }],
                },
              },
            },
          },
        },
      }),
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          strict: true,
          skipLibCheck: true,
          target: 'ES2022',
          module: 'preserve',
          moduleResolution: 'bundler',
        },
        files: ['src/main.ts'],
      }),
      'src/index.html': '<!doctype html><html><head><base href="/"></head><body><app-root></app-root></body></html>',
      'src/main.ts': `import { Component, provideZonelessChangeDetection, signal } from '@angular/core';
        import { bootstrapApplication } from '@angular/platform-browser';
        import { load, type GGhostNet } from 'g-ghostnet';
        @Component({ selector: 'app-root', template: '<input type="file" id="file" (change)="choose($event)" /><pre id="answer">{{ text() }}</pre>' })
        class App {
          text = signal('Loading');
          net?: GGhostNet;
          fail = (error: Error) => this.text.set(error.message);
          constructor() { load({ packageUrl: 'g-ghostnet/' }).then((net) => { this.net = net; this.text.set('Ready'); }, this.fail); }
          choose(event: Event) { this.net!.classify((event.target as HTMLInputElement).files![0]).then(({ top }) => this.text.set(top[0].label + ' ' + top[0].probability), this.fail); }
        }
        bootstrapApplication(App, { providers: [provideZonelessChangeDetection()] });`,
    },
    build: ['npx', 'ng', 'build'],
    folder: 'dist/app/browser',
  },
};

/** A port that is free now. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Serves by a command while `act` runs. */
async function serving(folder, command, act) {
  const port = await freePort();
  const [program, ...given] = command.map((word) => (word === 'PORT' ? String(port) : word));
  const server = spawn(program, given, {
    cwd: folder,
    detached: true,
    env: { ...process.env, PORT: String(port), NEXT_TELEMETRY_DISABLED: '1', ASTRO_TELEMETRY_DISABLED: '1' },
  });
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (said += text));
  const url = `http://localhost:${port}/`;
  try {
    for (let tries = 0; !(await fetch(url).catch(() => undefined)); tries++) {
      if (tries > 120) throw new Error('it does not answer');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await act(url);
  } catch (error) {
    error.message += ` (the server says: ${said.slice(-2000)})`;
    throw error;
  } finally {
    process.kill(-server.pid);
  }
}

/** Gives the photograph to a page, which a development server may load again once it knows the packages. */
async function classifyAt(url) {
  const tab = await browser.newPage();
  tab.setDefaultTimeout(90_000);
  try {
    await tab.goto(url);
    await tab.waitForFunction(() => /^(?!Loading|$)/.test(document.querySelector('#answer')?.textContent ?? ''));
    assert.match(await tab.textContent('#answer'), /^Ready/);
    await tab.setInputFiles('#file', cat);
    await tab.waitForFunction(() => !/^(Ready|Loading)/.test(document.querySelector('#answer').textContent));
    assertAnswer(await tab.textContent('#answer'));
  } finally {
    await tab.close();
  }
}

async function classifyBy(address) {
  const response = await fetch(address, {
    method: 'POST',
    body: await readFile(cat),
    headers: { 'Content-Type': 'image/jpeg', Origin: new URL(address).origin },
  });
  const [{ label, probability }] = JSON.parse(await response.text());
  assertAnswer(`${label} ${probability}`);
}

const chosen = process.env.HOSTS?.split(',');
for (const [name, host] of Object.entries(hosts)) {
  if (chosen && !chosen.includes(name)) continue;
  test(name, { timeout: 15 * 60e3 }, async () => {
    const { packages, files, manifest } = host;
    const folder = await project(name.replace(' ', '-'), { packages });
    for (const [file, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    }
    if (manifest) {
      const file = path.join(folder, 'package.json');
      await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...manifest }));
    }
    const visit = async (url) => {
      await classifyAt(url);
      if (host.route) await classifyBy(url + host.route);
    };
    if (host.dev) await serving(folder, host.dev, visit);
    await rm(path.join(folder, 'dist'), { recursive: true, force: true });
    const [program, ...given] = host.build;
    await run(program, given, { cwd: folder, maxBuffer: 1 << 26 }).catch((error) =>
      assert.fail(`${error.stdout}${error.stderr}`.slice(-3000)),
    );
    if (host.start) await serving(folder, host.start, visit);
    else {
      // What is deployed has no packages beside it.
      const deployed = path.join(folder, '..', `${path.basename(folder)}-deployed`);
      await cp(path.join(folder, host.folder), deployed, { recursive: true });
      await classifyOn(deployed);
    }
    await rm(folder, { recursive: true });
  });
}
