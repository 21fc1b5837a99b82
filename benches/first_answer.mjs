// What a visitor waits for: bytes and time from an empty cache to the first answer on a slow line, ours and ONNX
// Runtime Web's, on the same weights.
//
//   node benches/first_answer.mjs MODELS [--variants 002,008] [--megabits 10] [--latency 40] [--json]
//
// The line is Chromium's own throttling; the server compresses scripts and engines with gzip, as servers do.
// MODELS is a folder written by benches/export.py; ours is the package in dist/npm (./build.sh pack); the peer needs
// `npm ci --prefix benches`.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { launch } from '../tools/browser.mjs';
import { repository } from '../tools/serve.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    variants: { type: 'string', default: '002,008' },
    megabits: { type: 'string', default: '10' },
    latency: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
  },
});
const roots = {
  '/package/': path.join(repository, 'dist/npm'),
  '/models/': path.resolve(positionals[0] ?? 'target/bench'),
  '/node_modules/': path.join(repository, 'benches/node_modules'),
  '/': path.join(repository, 'benches'),
};
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

const compressed = new Map();
const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const prefix = Object.keys(roots).find((prefix) => pathname.startsWith(prefix));
  try {
    const file = path.join(roots[prefix], pathname.slice(prefix.length));
    const type = types[path.extname(file)];
    if (!compressed.has(file)) {
      const bytes = await readFile(file);
      compressed.set(file, type ? gzipSync(bytes, { level: 9 }) : bytes);
    }
    const body = compressed.get(file);
    const encoding = type ? { 'Content-Encoding': 'gzip' } : {};
    response
      .writeHead(200, {
        'Content-Type': type ?? 'application/octet-stream',
        'Content-Length': body.length,
        ...encoding,
      })
      .end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await launch();
const rows = [];
try {
  for (const variant of values.variants.split(',')) {
    const answers = [];
    for (const [engine, extension] of [
      ['ours', 'safetensors'],
      ['peer', 'onnx'],
    ]) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const client = await context.newCDPSession(page);
      await client.send('Network.enable');
      const bytesPerSecond = (Number(values.megabits) * 1e6) / 8;
      await client.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: Number(values.latency),
        downloadThroughput: bytesPerSecond,
        uploadThroughput: bytesPerSecond,
      });
      const sizes = new Map();
      const urls = new Map();
      client.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
      client.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
        sizes.set(requestId, encodedDataLength),
      );
      await page.goto(`${origin}/first_answer.html?engine=${engine}&model=/models/${variant}.${extension}&side=224`);
      const { milliseconds, first } = await page.evaluate(() => window.answer());
      const model = [...sizes]
        .filter(([id]) => urls.get(id).includes('/models/'))
        .reduce((sum, [, size]) => sum + size, 0);
      const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
      answers.push(first);
      rows.push({ variant, engine, seconds: milliseconds / 1e3, model, code: all - model });
      await context.close();
    }
    const [ours, peer] = answers;
    const largest = Math.max(...peer.map(Math.abs));
    const error = Math.max(...ours.map((logit, i) => Math.abs(logit - peer[i]))) / largest;
    if (!(error <= 1e-3)) throw new Error(`${variant}: the first logits differ by ${error} of the largest`);
  }
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
if (values.json) console.log(JSON.stringify(rows));
else {
  for (const { variant, engine, seconds, model, code } of rows) {
    console.log(
      `${variant} ${engine.padEnd(5)} ${seconds.toFixed(2).padStart(7)} s, engine and scripts ${(code / 1e3).toFixed(0).padStart(6)} kB, model ${(model / 1e6).toFixed(1).padStart(6)} MB`,
    );
  }
}
