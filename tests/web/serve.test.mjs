// The development server: what it serves, with which headers, and what it refuses.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { serve } from '../../tools/serve.mjs';

let folder;
let server;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'serve-'));
  await mkdir(path.join(folder, 'www/view'), { recursive: true });
  await mkdir(path.join(folder, 'wasm'));
  await writeFile(path.join(folder, 'www/index.html'), '<p>page');
  await writeFile(path.join(folder, 'www/view/index.html'), '<p>view');
  await writeFile(path.join(folder, 'www/app.js'), 'export {};');
  await writeFile(path.join(folder, 'www/größe 1.txt'), 'text');
  await writeFile(path.join(folder, 'wasm/a.wasm'), Buffer.from([0, 0x61, 0x73, 0x6d]));
  await writeFile(path.join(folder, 'secret.txt'), 'secret');
  await writeFile(path.join(folder, 'www-secret.txt'), 'secret');
  await symlink(path.join(folder, 'secret.txt'), path.join(folder, 'www/link.txt'));
  server = await serve(path.join(folder, 'www'), { mounts: { '/wasm/': path.join(folder, 'wasm') } });
});

after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** A request line as it is written: `fetch` would tidy the path first. */
function raw(line) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => (answer += data));
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
    socket.write(`${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  });
}

test('a file comes with its type, its length and the headers of cross-origin isolation', async () => {
  const response = await fetch(`${server.url}wasm/a.wasm?version=1`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/wasm');
  assert.equal(response.headers.get('content-length'), '4');
  assert.equal(response.headers.get('cross-origin-opener-policy'), 'same-origin');
  assert.equal(response.headers.get('cross-origin-embedder-policy'), 'require-corp');
  assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [0, 0x61, 0x73, 0x6d]);
});

test('folders give their index, names may need escapes', async () => {
  assert.equal(await (await fetch(server.url)).text(), '<p>page');
  assert.equal(await (await fetch(`${server.url}view/`)).text(), '<p>view');
  assert.equal(await (await fetch(`${server.url}${encodeURIComponent('größe 1.txt')}`)).text(), 'text');
  const script = await fetch(`${server.url}app.js`);
  assert.match(script.headers.get('content-type'), /^text\/javascript/);
  await script.text();
});

test('nothing outside the served folders is given away', async () => {
  for (const target of [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/view/../../secret.txt',
    '/wasm/../secret.txt',
    '/wasm/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/../www-secret.txt',
    '/link.txt',
    '//etc/passwd',
    '/%00',
    '/%zz',
    '/missing.js',
    '/wasm',
    '/wasm/',
  ]) {
    const answer = await raw(`GET ${target}`);
    assert.match(answer, /^HTTP\/1\.1 (400|403|404) /, target);
    assert.doesNotMatch(answer, /\r\n\r\nsecret/, target);
  }
});

test('HEAD has no body, other methods are refused', async () => {
  const head = await raw('HEAD /app.js');
  assert.match(head, /^HTTP\/1\.1 200 /);
  assert.match(head, /\r\n\r\n$/);
  assert.match(await raw('POST /app.js'), /^HTTP\/1\.1 405 /);
});

test('isolation can be switched off', async () => {
  const plain = await serve(path.join(folder, 'www'), { coi: false });
  const response = await fetch(plain.url);
  assert.equal(response.headers.get('cross-origin-embedder-policy'), null);
  await response.text();
  await plain.close();
});

test('a module that is still being built is waited for, any other file is not', async () => {
  const file = path.join(folder, 'building');
  const modules = path.join(folder, 'built');
  await writeFile(file, '');
  await mkdir(modules);
  await writeFile(path.join(modules, 'a.wasm'), 'as it is made');
  const mounts = { '/wasm/': path.join(folder, 'wasm') };
  const slow = await serve(null, { mounts, building: { file, modules } });
  try {
    const [later, never] = ['later', 'never'].map((name) => fetch(`${slow.url}wasm/${name}.wasm`));
    assert.equal((await fetch(`${slow.url}never.js`)).status, 404);
    await writeFile(path.join(modules, 'later.wasm'), 'built');
    assert.equal(await (await later).text(), 'built');
    // What the page has of its own comes first: a service worker holds it against its hash.
    assert.equal((await fetch(`${slow.url}wasm/a.wasm`)).headers.get('content-length'), '4');
    await rm(file);
    assert.equal((await never).status, 404);
  } finally {
    await slow.close();
  }
});
