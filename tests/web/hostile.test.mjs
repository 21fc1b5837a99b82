// Bad pictures: each gets a right answer or a sentence, and the next picture gets the right one.
// (CMYK, 16 bits, palettes, alpha and rotation are in tests/golden/photos, held by the page's and the command's tests.)
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

import { launch } from '../../tools/browser.mjs';
import { repository } from '../../tools/serve.mjs';
import { cat } from './support/golden.mjs';
import { serveSite } from './support/site.mjs';

const catFile = await readFile(path.join(repository, 'www/samples/cat.jpg'));

let server;
let browser;
let page;

before(async () => {
  server = await serveSite({ coi: false });
  browser = await launch();
  page = await browser.newPage();
  await page.goto(`${server.url}blank/`);
  await page.evaluate(async () => {
    const { load } = await import('/lib/index.js');
    globalThis.nets = await Promise.all([true, false].map((worker) => load({ backend: 'wasm', worker })));
    globalThis.ask = async (net, input) => {
      try {
        return (await net.classify(input)).top;
      } catch ({ code, message }) {
        return { code, message };
      }
    };
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Asks both nets, in a worker and in place, about a file; then about the cat, which must be right. */
async function ask(bytes) {
  const answers = await page.evaluate(async (text) => {
    const blob = new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]);
    const answers = [];
    for (const net of globalThis.nets)
      answers.push(await globalThis.ask(net, blob), await globalThis.ask(net, '/samples/cat.jpg'));
    return answers;
  }, bytes.toString('base64'));
  for (const top of [answers[1], answers[3]]) {
    assert.equal(top[0]?.label, cat[0].label, top.message);
    assert.ok(Math.abs(top[0].probability - cat[0].probability) <= 1e-3);
  }
  assert.deepEqual(answers[0], answers[2], 'the same in a worker and in place');
  return answers[0];
}

/** What pixels get that were never in a file. */
const askPixels = (data, width, height) =>
  page.evaluate(
    ([data, width, height]) => globalThis.ask(globalThis.nets[1], { data: Uint8Array.from(data), width, height }),
    [[...data], width, height],
  );

function refused({ code, message }, words) {
  assert.equal(code, 'bad-image', message);
  assert.match(message, words);
}

/** A PNG of 8-bit RGB rows, or whatever its header says. */
function png(width, height, raw, { bits = 8, kind = 2 } = {}) {
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const ends = [Buffer.alloc(4), Buffer.alloc(4)];
    ends[0].writeUInt32BE(data.length);
    ends[1].writeUInt32BE(crc32(body));
    return Buffer.concat([ends[0], body, ends[1]]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, kind], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('files that are empty, cut off or no pictures get a sentence', async () => {
  refused(await ask(Buffer.alloc(0)), /empty/);
  refused(await ask(catFile.subarray(0, 100)), /damaged/);
  refused(await ask(png(8, 8, Buffer.alloc(0))), /damaged/);
  refused(await ask(Buffer.from('GIF89a')), /damaged/);
  refused(await ask(Buffer.from('%PDF-1.7\n')), /PDF/);
  refused(await ask(Buffer.from('<!doctype html>')), /web page/);
  refused(await ask(Buffer.from('II*\0\x08\0\0\0', 'latin1')), /TIFF/);
  refused(await ask(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1')), /HEIC/);
  refused(await ask(Buffer.from([0, 1, 2, 3])), /not a picture/);
});

test('a picture that ends early is refused or shown as far as it goes, never answered from nothing', async () => {
  const half = await ask(catFile.subarray(0, catFile.length >> 1));
  if (half.code) refused(half, /damaged/);
  else {
    // What Chromium shows: the rows that came, and grey below.
    const empty = await askPixels(Buffer.alloc(16 * 16 * 4, 128), 16, 16);
    assert.notDeepEqual(half, empty);
    assert.ok(half.every(({ probability }) => probability >= 0 && probability <= 1));
  }
});

test('one pixel, one column and one row get the answer of their pixels', async () => {
  for (const [width, height] of [
    [1, 1],
    [1, 30_000],
    [30_000, 1],
  ]) {
    const raw = Buffer.alloc(height * (1 + 3 * width));
    const rgba = Buffer.alloc(width * height * 4, 255);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const colour = [(x + y) % 251, (3 * x + y) % 241, (x + 7 * y) % 239];
        raw.set(colour, y * (1 + 3 * width) + 1 + 3 * x);
        rgba.set(colour, 4 * (y * width + x));
      }
    }
    const top = await ask(png(width, height, raw));
    assert.deepEqual(top, await askPixels(rgba, width, height), `${width} x ${height}`);
    assert.ok(top[0].probability > 0 && top[0].probability <= 1);
  }
});

test('a header that promises 30,000 x 30,000 pixels costs a sentence, not the page', async () => {
  refused(await ask(png(30_000, 30_000, Buffer.alloc(0))), /damaged|too large|memory|could not be read/i);
  // The pixels are really there: 900 million, black, in 110 kB.
  const bomb = png(30_000, 30_000, Buffer.alloc(30_000 * 3_751), { bits: 1, kind: 0 });
  const answer = await ask(bomb);
  if (answer.code) refused(answer, /damaged|too large|memory|could not be read/i);
  else assert.deepEqual(answer, await askPixels(Buffer.alloc(64, 0).fill(Buffer.from([0, 0, 0, 255])), 4, 4));
});

test('of an animation the first frame is classified', async () => {
  const frame = (colour) =>
    sharp({ create: { width: 32, height: 32, channels: 3, background: colour } })
      .png()
      .toBuffer();
  const frames = await Promise.all([frame('#ff0000'), frame('#0000ff')]);
  const first = await askPixels(Buffer.alloc(32 * 32 * 4).fill(Buffer.from([255, 0, 0, 255])), 32, 32);
  const second = await askPixels(Buffer.alloc(32 * 32 * 4).fill(Buffer.from([0, 0, 255, 255])), 32, 32);
  assert.notDeepEqual(first, second);
  const animation = () => sharp(frames, { join: { animated: true } });
  for (const [kind, file] of [
    [
      'GIF',
      await animation()
        .gif({ delay: [20, 20] })
        .toBuffer(),
    ],
    [
      'WebP',
      await animation()
        .webp({ lossless: true, delay: [20, 20] })
        .toBuffer(),
    ],
  ]) {
    assert.equal((await sharp(file, { animated: true }).metadata()).pages, 2, kind);
    assert.deepEqual(await ask(file), first, kind);
  }
});

test('a canvas with a picture of another site gets a sentence that says what to do', async () => {
  // Another site: neither CORS nor any other leave.
  const other = http.createServer((_, response) =>
    response.writeHead(200, { 'Content-Type': 'image/jpeg' }).end(catFile),
  );
  await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
  try {
    const answers = await page.evaluate(async (url) => {
      const image = Object.assign(new Image(), { src: url });
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      canvas.getContext('2d').drawImage(image, 0, 0);
      const answers = {};
      for (const net of globalThis.nets) {
        for (const [name, input] of Object.entries({ canvas, image, url })) {
          answers[name] = [...(answers[name] ?? []), await globalThis.ask(net, input)];
        }
        answers.cat = [...(answers.cat ?? []), await globalThis.ask(net, '/samples/cat.jpg')];
      }
      return answers;
    }, `http://127.0.0.1:${other.address().port}/cat.jpg`);
    for (const name of ['canvas', 'image']) for (const answer of answers[name]) refused(answer, /another site.*CORS/);
    for (const { code, message } of answers.url)
      assert.deepEqual([code, /CORS/.test(message)], ['network', true], message);
    for (const top of answers.cat) assert.equal(top[0].label, cat[0].label);
  } finally {
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  }
});
