// A static file server for this repository's page: loopback only, cross-origin isolated, correct MIME types.
//   node tools/serve.mjs [--port N] [--no-coi] [--building FILE]
// While FILE exists, modules are still being built: one that is asked for is waited for.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The page as it is shipped: `./build.sh site` makes the folder. */
export const pageMounts = { '/': path.join(repository, 'dist/site') };

const types = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.wgsl': 'text/plain; charset=utf-8',
};

// SharedArrayBuffer, and with it WebAssembly threads, exists only in pages with both.
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** The file that a URL path names, never one outside its mount (links are followed before the check). */
async function locate(mounts, pathname) {
  let decoded;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    throw new Refusal(400, 'malformed URL');
  }
  if (decoded.includes('\0') || decoded.includes('\\')) throw new Refusal(400, 'malformed URL');

  const [prefix, folder] = mounts.find(([prefix]) => decoded.startsWith(prefix)) ?? [];
  if (prefix === undefined) throw new Refusal(404, 'not found');
  const missing = () => {
    throw new Refusal(404, 'not found');
  };
  const root = await realpath(folder).catch(missing);
  let file = await realpath(path.join(root, decoded.slice(prefix.length))).catch(missing);
  if (file !== root && !file.startsWith(root + path.sep)) throw new Refusal(403, 'outside the served folder');

  let found = await stat(file);
  if (found.isDirectory()) {
    if (!decoded.endsWith('/')) throw new Refusal(404, 'not found: a folder ends with /');
    file = await realpath(path.join(file, 'index.html')).catch(missing);
    if (!file.startsWith(root + path.sep)) throw new Refusal(403, 'outside the served folder');
    found = await stat(file);
  }
  if (!found.isFile()) throw new Refusal(404, 'not found');
  return { file, size: found.size };
}

const exists = (file) =>
  stat(file).then(
    () => true,
    () => false,
  );

/** As `locate`; a module that is still being built is taken from where it is made, as soon as it is there. */
async function locateBuilt(mounts, pathname, building) {
  for (;;) {
    const early = building && pathname.startsWith('/wasm/') && (await exists(building.file));
    try {
      // What is in its own place already is what the page expects: its scripts are minified there.
      return await locate(mounts, pathname).catch((error) => {
        if (!early || error.status !== 404) throw error;
        return locate([['/wasm/', building.modules]], pathname);
      });
    } catch (error) {
      if (!early || error.status !== 404) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/**
 * Serves `root` at `/` and each folder of `mounts` at its prefix (which ends with `/`).
 * `port` 0 takes a free one; `coi: false` leaves out the headers of cross-origin isolation;
 * `maxAge` lets the browser keep what it got for so many seconds; while `building.file` exists, what is missing below
 * `/wasm/` is taken from the folder `building.modules` and waited for; `intercept(request, response)` is asked first: true where it answers itself.
 * @returns {Promise<{ url: string, close: () => Promise<void> }>} `url` ends with `/`.
 */
export async function serve(root, { port = 0, coi = true, maxAge = 0, mounts = {}, building, intercept } = {}) {
  const folders = Object.entries({ ...mounts, ...(root && { '/': root }) });
  folders.sort(([a], [b]) => b.length - a.length);

  const server = http.createServer(async (request, response) => {
    try {
      if (await intercept?.(request, response)) return;
      if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(405, 'only GET and HEAD');
      const { file, size } = await locateBuilt(folders, request.url.split(/[?#]/, 1)[0], building);
      response.writeHead(200, {
        'Content-Type': types[path.extname(file).toLowerCase()] ?? 'application/octet-stream',
        'Content-Length': size,
        'Cache-Control': maxAge ? `max-age=${maxAge}` : 'no-cache',
        'X-Content-Type-Options': 'nosniff',
        'Cross-Origin-Resource-Policy': 'same-origin',
        ...(coi && isolation),
      });
      if (request.method === 'HEAD') response.end();
      else
        createReadStream(file)
          .on('error', () => response.destroy())
          .pipe(response);
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500;
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...(coi && isolation) });
      response.end(`${status}: ${error.message}\n`);
    }
  });

  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** The page as `./build.sh demo` serves it. */
export const servePage = (options = {}) => serve(null, { mounts: pageMounts, ...options });

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      'no-coi': { type: 'boolean', default: false },
      building: { type: 'string' },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`--port takes a number from 0 to 65535, not ${values.port}`);
  }
  const building = values.building && { file: values.building, modules: path.join(repository, 'dist/wasm') };
  const { url } = await servePage({ port, coi: !values['no-coi'], building });
  console.log(`g-ghostnet is at ${url}\nStop it with Ctrl+C.`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    const hint =
      error.code === 'EADDRINUSE' ? 'Another program uses that port; choose one with --port.' : error.message;
    console.error(`serve: ${hint}`);
    process.exitCode = 1;
  });
}
