/**
 * @file The service worker: after the first visit the page works without a network.
 *
 * `tools/site.mjs` puts the SHA-256 of every file here, so that a new version is a new list: its files are fetched (or
 * taken over from the old version, where they are the same), checked, and served together once all are there. Until
 * then, and for a page that is open already, the old version is served as a whole. Other models than the first, and the
 * engines for models of floats, are kept when they are first asked for.
 */
/* global MANIFEST, EXTRA, VERSION */
const byAddress = (list) =>
  new Map(Object.entries(list).map(([name, hash]) => [new URL(name, self.registration.scope).href, hash]));
const files = byAddress(MANIFEST);
const extra = byAddress(EXTRA);
const cacheName = `g-ghostnet-page ${self.registration.scope} ${VERSION}`;
const ours = `g-ghostnet-page ${self.registration.scope} `;

const sha256 = async (bytes) =>
  Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');

/** A file with the right content: from an earlier version, from the browser's own cache, or from the network. */
async function obtain(url, hash, earlier) {
  const attempts = [
    ...earlier.map((cache) => () => cache.match(url)),
    () => fetch(url, { cache: 'force-cache' }),
    () => fetch(url, { cache: 'reload' }),
  ];
  for (const attempt of attempts) {
    const response = await attempt();
    if (response?.ok && (await sha256(await response.clone().arrayBuffer())) === hash) return response;
  }
  throw new Error(`${url} is not what this version of the page expects`);
}

const ourCaches = async () =>
  Promise.all((await caches.keys()).filter((name) => name.startsWith(ours)).map((name) => caches.open(name)));

async function install() {
  const cache = await caches.open(cacheName);
  const earlier = await ourCaches();
  for (const [url, hash] of files) await cache.put(url, await obtain(url, hash, earlier));
  // Models that were asked for once stay, where this version has the same.
  for (const [url, hash] of extra) {
    if (!(await Promise.all(earlier.map((cache) => cache.match(url)))).some(Boolean)) continue;
    await obtain(url, hash, earlier).then(
      (response) => cache.put(url, response),
      () => {},
    );
  }
}

/** A file that is kept from its first use on; one that does not fit is used and not kept. */
async function keep(cache, url) {
  const response = await obtain(url, extra.get(url), []);
  await cache.put(url, response.clone()).catch(() => {});
  return response;
}

async function cleanUp() {
  for (const name of await caches.keys()) if (name.startsWith(ours) && name !== cacheName) await caches.delete(name);
  // Not waited for: Firefox waits until each client has heard of it, and an engine's threads sleep. Until the worker is
  // active, every file of the page would wait as well.
  self.clients.claim();
}

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(cleanUp()));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  url.search = '';
  url.hash = '';
  if (url.href.endsWith('/')) url.pathname += 'index.html';
  if (request.method !== 'GET' || !(files.has(url.href) || extra.has(url.href))) return;
  const missing = (cache) => (extra.has(url.href) ? keep(cache, url.href).catch(() => fetch(request)) : fetch(request));
  event.respondWith(caches.open(cacheName).then(async (cache) => (await cache.match(url.href)) ?? missing(cache)));
});
