// The library where there is no page: a service worker, and the background of an extension.
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';

import { chromiumArguments, findChromium } from '../../tools/browser.mjs';
import { repository } from '../../tools/serve.mjs';
import { blankPages, inPage, server } from './support/blank.mjs';
import { defaultModel, renamed } from './support/site.mjs';
import { cat } from './support/golden.mjs';

blankPages();

/** Asks a service worker of the blank page. */
const ask = (script, message) =>
  inPage(
    async (_, __, { script, message }) => {
      const registration = await navigator.serviceWorker.register(script, { type: 'module' });
      const worker = registration.active ?? registration.waiting ?? registration.installing;
      if (worker.state !== 'activated')
        await new Promise((resolve) => (worker.onstatechange = () => worker.state === 'activated' && resolve()));
      const { port1, port2 } = new MessageChannel();
      const model = message.pth && Uint8Array.from(atob(message.pth), (character) => character.charCodeAt(0));
      const input = message.input === 'blob' ? await (await fetch('/samples/cat.jpg')).blob() : message.input;
      const answer = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
      worker.postMessage({ options: { ...message.options, ...(model && { model }) }, input }, [port2]);
      const found = await answer;
      await registration.unregister();
      return found;
    },
    { script, message },
  );

function assertCat(top) {
  assert.equal(top[0].label, cat[0].label);
  assert.ok(Math.abs(top[0].probability - cat[0].probability) <= 1e-3, String(top[0].probability));
}

test('a module service worker runs it by static imports: addresses, files, every format', async () => {
  for (const input of ['/samples/cat.jpg', 'blob']) {
    const { top, worker, message, threadsReason } = await ask('/blank/service-worker.js', {
      options: { backend: 'wasm' },
      input,
    });
    assert.equal(message, undefined);
    assertCat(top);
    assert.equal(worker, false);
    assert.match(threadsReason, /workers/);
  }
  const { message: auto, top } = await ask('/blank/service-worker.js', { options: {}, input: '/samples/cat.jpg' });
  assert.equal(auto, undefined);
  assertCat(top);
  const pth = (await readFile(path.join(repository, 'tests/golden/pth/zip.pth'))).toString('base64');
  const checkpoint = await ask('/blank/service-worker.js', {
    options: { backend: 'wasm' },
    input: '/samples/cat.jpg',
    pth,
  });
  assert.ok(checkpoint.top?.length > 0, checkpoint.message);
  const moved = await ask('/blank/service-worker.js', {
    options: { backend: 'wasm', wasmUrl: new URL('/wasm', server.url).href },
    input: '/samples/cat.jpg',
  });
  assertCat(moved.top);
});

test('the main entry says which one a service worker needs', async () => {
  const { code, message } = await ask('/blank/plain-service-worker.js', { options: {}, input: '' });
  assert.equal(code, 'unsupported');
  assert.match(message, /import g-ghostnet\/service-worker there/);
});

test('the example extension classifies a picture of a page, in its background', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'extension-'));
  const own = path.join(folder, 'extension');
  let context;
  try {
    await cp(path.join(repository, 'examples/extension'), own, { recursive: true });
    const library = path.join(own, 'node_modules/g-ghostnet');
    await mkdir(path.join(library, 'models'), { recursive: true });
    for (const part of ['lib', 'wasm', `models/${defaultModel}`])
      await cp(path.join(repository, 'dist/site', part), path.join(library, part), { recursive: true });
    for (const [, file] of Object.entries(renamed())) await cp(file, path.join(library, 'lib', path.basename(file)));
    context = await chromium.launchPersistentContext(path.join(folder, 'profile'), {
      executablePath: findChromium(),
      headless: true,
      args: [...chromiumArguments(), `--disable-extensions-except=${own}`, `--load-extension=${own}`],
      ignoreDefaultArgs: ['--disable-extensions'],
    });
    const background = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker', { timeout: 60e3 }));
    const title = await background.evaluate(async (srcUrl) => {
      const words = [];
      const { setTitle } = chrome.action;
      chrome.action.setTitle = (given) => (words.push(given.title), setTitle.call(chrome.action, given));
      chrome.contextMenus.onClicked.dispatch({ menuItemId: 'classify', srcUrl }, undefined);
      while (words.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      return words[0];
    }, new URL('samples/cat.jpg', server.url).href);
    assert.match(title, new RegExp(`^${cat[0].label} ${(100 * cat[0].probability).toFixed(0)} %\\n`));
  } finally {
    await context?.close();
    await rm(folder, { recursive: true, force: true });
  }
});
