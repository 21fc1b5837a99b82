// The library's scripts as they are shipped have the forms that bundlers, and tracers of servers, follow.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { repository } from '../../tools/serve.mjs';
import { own, version } from '../../www/lib/place.js';

const folder = path.join(repository, 'dist/site/lib');
const scripts = Object.fromEntries(
  await Promise.all(
    (await readdir(folder))
      .filter((name) => name.endsWith('.js'))
      .map(async (name) => [name, await readFile(path.join(folder, name), 'utf8')]),
  ),
);

test('what a bundler may not split imports nothing by name', () => {
  for (const name of ['worker.js', 'thread.js', 'similarity-worker.js', 'teach-worker.js', 'gpu.js', 'more.js'])
    assert.doesNotMatch(scripts[name], /\b(import|from) ?\(?["']/, name);
});

test('a worker is started in the form that bundlers follow, with options that are written out', () => {
  const workers = /new Worker\(new URL\("(\.\/[\w-]+\.js)",import\.meta\.url\),\{type:"module",name:"[\w -]+"\}\)/g;
  const started = Object.values(scripts).flatMap((text) => [...text.matchAll(workers)].map(([, name]) => name));
  assert.deepEqual([...new Set(started)].sort(), [
    './similarity-worker.js',
    './teach-worker.js',
    './thread.js',
    './worker.js',
  ]);
});

test('the address of a file of the package is the argument of a call, which @vercel/nft follows', () => {
  let found = 0;
  for (const [name, text] of Object.entries(scripts)) {
    for (const [whole, before] of text.matchAll(/(.{12})new URL\("\.\.?\/[^"]+",import\.meta\.url\)/g)) {
      assert.match(before, /\w\($/, `${name}: ${whole}`);
      found++;
    }
  }
  assert.ok(found > 30, String(found));
});

test('an import that bundlers are to leave alone says so', () => {
  for (const [name, text] of Object.entries(scripts)) {
    for (const [, argument] of text.matchAll(/\bimport\((?=\/|\w+\.href)(.{0,90})/g))
      assert.match(argument, /@vite-ignore \*\/ \/\* webpackIgnore: true \*\/ \/\* turbopackIgnore: true/, name);
  }
});

test('hosts that move the scripts alone: where the files are', () => {
  const of = (address) => own(new URL(address)).href;
  assert.equal(
    of('http://localhost:5173/node_modules/.vite/models/a.safetensors'),
    'http://localhost:5173/node_modules/g-ghostnet/models/a.safetensors',
  );
  assert.equal(
    of('https://cdn.jsdelivr.net/npm/wasm/fixed/g_ghostnet.js'),
    `https://cdn.jsdelivr.net/npm/g-ghostnet@${version}/wasm/fixed/g_ghostnet.js`,
  );
  for (const address of ['https://example.com/npm/models/a', 'https://cdn.jsdelivr.net/npm/g-ghostnet/models/a'])
    assert.equal(of(address), address);
});
