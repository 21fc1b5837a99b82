// The library and its command in Node: paths, folders, kinds of files, every core, and what is refused.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import sharp from 'sharp';

import { repository } from '../../tools/serve.mjs';
import { addressOf } from '../../www/lib/disk.js';
import { decodeImage, GGhostError, load, readImage } from '../../www/lib/node.js';
import { defaultModel } from './support/site.mjs';
import { cat } from './support/golden.mjs';

const photo = path.join(repository, 'www/samples/cat.jpg');
const model = path.join(repository, 'models', defaultModel);
const wasmUrl = path.join(repository, 'dist/wasm');

let folder;
let net;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'library-node-'));
  net = await load({ model, wasmUrl });
});
after(async () => {
  net?.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** The error that a promise is rejected with: one of the library's, with words of a bearable length. */
async function failureOf(promise) {
  const error = await promise.then(
    () => assert.fail('it did not fail'),
    (error) => error,
  );
  assert.ok(error instanceof GGhostError, `${error.stack}`);
  assert.ok(error.message.length <= 1000, `${error.message.length} characters`);
  assert.match(error.message, /[.)]$/, 'a sentence');
  return error;
}

/** @returns {Promise<{ code: number, out: string, err: string }>} */
const command = (...options) =>
  new Promise((resolve) => {
    const program = path.join(repository, 'tools/classify.mjs');
    execFile(
      process.execPath,
      [program, '--model', model, ...options],
      { cwd: repository, maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ code: error?.code ?? 0, out, err }),
    );
  });

test('a path is a path whatever is in it, and a file: address too', async () => {
  for (const name of ['photo #1 100%.jpg', 'a?v=2.jpg', 'ünï çödé %41.jpg', 'two  spaces & more.jpg', 'c:colon.jpg']) {
    const file = path.join(folder, name);
    await cp(photo, file);
    for (const input of [file, path.relative(process.cwd(), file), pathToFileURL(file), pathToFileURL(file).href]) {
      const { top } = await net.classify(input);
      assert.equal(top[0].label, cat[0].label, String(input));
    }
  }
  const odd = path.join(folder, 'm #1 50%?.safetensors');
  await cp(model, odd);
  const other = await load({ model: odd, wasmUrl: `${path.relative(process.cwd(), wasmUrl)}/` });
  assert.equal((await other.classify(photo)).top[0].label, cat[0].label);
  other.dispose();
  // A drive is no scheme.
  assert.match(addressOf('C:\\models\\m.safetensors'), /^file:\/\/.*m\.safetensors$/);
  assert.equal(addressOf('https://example.org/a b'), 'https://example.org/a%20b');
});

test('what is not there, may not be read or is no address is an error of the library’s, about files', async () => {
  const missing = path.join(folder, 'none.jpg');
  for (const failing of [
    net.classify(missing),
    readImage(missing),
    load({ model: missing, wasmUrl }),
    net.classify('C:\\pictures\\none.jpg'),
  ].map(failureOf)) {
    const error = await failing;
    assert.equal(error.code, 'network');
    assert.match(error.message, /there is no file .*none\.jpg/);
    assert.doesNotMatch(error.message, /CORS|connection/);
  }
  assert.match((await failureOf(net.classify(folder))).message, /is a folder/);
  // A file is there, whatever it is.
  const saved = path.join(folder, 'saved.jpg');
  await writeFile(saved, '<!doctype html><title>404</title>');
  for (const [failing, code] of [
    [net.classify(saved), 'bad-image'],
    [load({ model: saved, wasmUrl }), 'bad-model'],
  ]) {
    const error = await failureOf(failing);
    assert.equal(error.code, code);
    assert.match(error.message, /is a web page/);
  }
  for (const failing of [net.classify('http://'), net.classify('https://['), load({ model: 'http://[', wasmUrl })].map(
    failureOf,
  )) {
    assert.match((await failing).code, /^bad-(image|option)$/);
  }
});

test('WebGPU that is not there is refused before anything is started', async () => {
  const script = `
    import { load } from ${JSON.stringify(pathToFileURL(path.join(repository, 'www/lib/node.js')).href)};
    const told = await load({ backend: 'webgpu', model: '/none' }).catch(({ code, message }) => code + ' ' + message);
    process.on('exit', () => console.log(told)); // whatever was started has ended, and nothing has failed`;
  const { stdout } = await new Promise((resolve, reject) =>
    execFile(process.execPath, ['--input-type=module', '-e', script], (error, stdout) =>
      error ? reject(error) : resolve({ stdout }),
    ),
  );
  assert.match(stdout, /^unsupported There is no WebGPU here\.\n$/);
});

test('bytes of a file are a picture, of any realm; so is a Response', async () => {
  const bytes = await readFile(photo);
  const foreign = vm.runInNewContext('Uint8Array.from(bytes)', { bytes: [...bytes] });
  assert.ok(!(foreign instanceof Uint8Array));
  const padded = new Uint8Array(bytes.length + 20);
  padded.set(bytes, 7);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const inputs = {
    buffer: bytes,
    array: new Uint8Array(bytes),
    memory: new Uint8Array(bytes).buffer,
    foreign,
    'memory of another realm': foreign.buffer,
    part: padded.subarray(7, 7 + bytes.length),
    view: new DataView(padded.buffer, 7, bytes.length),
    shared,
    blob: new Blob([bytes]),
    response: new Response(bytes),
  };
  for (const [name, input] of Object.entries(inputs)) {
    const { top } = await net.classify(input);
    assert.ok(top[0].label === cat[0].label && Math.abs(top[0].probability - cat[0].probability) < 1e-3, name);
  }
  assert.equal(foreign.length, bytes.length, 'the caller’s memory stays');
  const read = new Response(bytes);
  await read.text();
  assert.match((await failureOf(net.classify(read))).message, /clone\(\)/);
  assert.equal((await failureOf(net.classify(new Response('', { status: 404 })))).code, 'network');
  const weights = vm.runInNewContext('Uint8Array.from(bytes)', { bytes: [...(await readFile(model))] });
  const other = await load({ model: weights, wasmUrl });
  assert.equal((await other.classify(bytes)).top[0].label, cat[0].label);
  other.dispose();
});

test('base64 without the rest of its address is told from an address', async () => {
  const image = sharp({ create: { width: 20, height: 20, channels: 3, background: '#c33' } });
  const kinds = ['jpeg', 'png', 'gif', 'webp', 'avif'];
  const files = await Promise.all(kinds.map((kind) => image.toFormat(kind).toBuffer()));
  for (const file of [...files, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40"/>')]) {
    const text = file.toString('base64');
    for (const given of [text, text.replace(/(.{60})/g, '$1\n'), ` ${text}`]) {
      const error = await failureOf(net.classify(given));
      assert.equal(error.code, 'bad-image');
      assert.match(error.message, /base64.*put "data:image/);
    }
  }
  for (const address of ['/9j/nothing here.jpg', 'iVBORw.png', 'R0lGOD/photo/of/a/very/long/holiday.gif']) {
    assert.equal((await failureOf(net.classify(address))).code, 'network');
  }
});

test('a file that is no picture is told by its kind, as in the browser', async () => {
  const text = (string) => Buffer.from(string, 'latin1');
  const ftyp = (brand) => Buffer.concat([text(`\0\0\0\x18ftyp${brand}\0\0\0\0mif1${brand}`), Buffer.alloc(80)]);
  for (const [bytes, words] of [
    [ftyp('heic'), /a HEIC picture, which sharp cannot read/],
    [ftyp('isom'), /an MP4 film, not a picture/],
    [ftyp('qt  '), /a QuickTime film/],
    [ftyp('avif'), /an AVIF picture, but damaged or incomplete/],
    [text('\xff\x0a0123456789'), /a JPEG XL picture, which/],
    [text('\0\0\0\x0cJXL \r\n\x87\n0123'), /a JPEG XL picture, which/],
    [text('8BPS\0\x010123456789'), /Photoshop/],
    [text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n'), /git lfs pull/],
    [text('\n<!doctype html><title>x</title>'), /a web page/],
    [text('%PDF-1.7\n'), /a PDF/],
    [text('\x1aE\xdf\xa3 webm'), /film/],
    [text('Good evening.\n'), /a text file/],
    [Buffer.from(await readFile(photo)).subarray(0, 3000), /a JPEG picture, but damaged or incomplete/],
    [await readFile(model), /a model \(safetensors\), not a picture/],
    [Buffer.alloc(0), /empty/],
  ]) {
    const error = await failureOf(net.classify(bytes));
    assert.equal(error.code, 'bad-image');
    assert.match(error.message, words);
    assert.match(error.message, /Try a JPEG|damaged|empty/);
  }
});

// --- BMP and ICO ---

const [bmpWidth, bmpHeight] = [5, 3];
const pixelAt = (x, y) => [40 * x + 7, 60 * y + 11, 251 - 30 * x - 20 * y];

/** A bitmap of these pixels, of which `write` puts one into its line. */
function bmp(bits, { compression = 0, extra = Buffer.alloc(0) }, write) {
  const header = Buffer.alloc(14 + 40);
  const rows = Array.from({ length: bmpHeight }, (_, row) => {
    const line = Buffer.alloc(4 * Math.ceil((bmpWidth * bits) / 32));
    for (let x = 0; x < bmpWidth; x++) write(line, x, pixelAt(x, bmpHeight - 1 - row));
    return line;
  });
  const body = Buffer.concat([extra, ...rows]);
  header.write('BM');
  header.writeUInt32LE(header.length + body.length, 2);
  header.writeUInt32LE(header.length + extra.length, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(bmpWidth, 18);
  header.writeInt32LE(bmpHeight, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(compression, 30);
  return Buffer.concat([header, body]);
}

const bmp24 = () => bmp(24, {}, (line, x, [r, g, b]) => line.set([b, g, r], 3 * x));

function bmp32() {
  const masks = Buffer.alloc(12);
  [0xff, 0xff00, 0xff0000].forEach((mask, i) => masks.writeUInt32LE(mask, 4 * i));
  return bmp(32, { compression: 3, extra: masks }, (line, x, rgb) => line.set([...rgb, 0], 4 * x));
}

test('BMP is read to the numbers of its pixels', async () => {
  const down = bmp24();
  down.writeInt32LE(-bmpHeight, 22);
  for (const [name, file, turned] of [
    ['24 bits', bmp24()],
    ['32 bits with masks', bmp32()],
    ['from the top', down, true],
  ]) {
    const { data, width, height } = await decodeImage(file);
    assert.deepEqual([width, height], [bmpWidth, bmpHeight]);
    const expected = Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => [...pixelAt(x, turned ? height - 1 - y : y), 255]),
    );
    assert.deepEqual([...data], expected.flat(2), name);
    assert.match((await failureOf(decodeImage(file.subarray(0, file.length - 8)))).message, /BMP picture, but damaged/);
  }
});

test('a BMP header that promises more than there is takes no memory', async () => {
  const huge = bmp24();
  huge.writeInt32LE(2 ** 30, 18);
  await failureOf(decodeImage(huge));
});

test('a PNG in an ICO is read', async () => {
  const background = { r: 9, g: 200, b: 77, alpha: 1 };
  const png = await sharp({ create: { width: 16, height: 16, channels: 4, background } })
    .png()
    .toBuffer();
  const head = Buffer.alloc(22);
  head.set([0, 0, 1, 0, 1, 0, 16, 16]);
  head.writeUInt32LE(png.length, 14);
  head.writeUInt32LE(22, 18);
  const icon = await decodeImage(Buffer.concat([head, png]));
  assert.deepEqual([icon.width, ...icon.data.subarray(0, 4)], [16, 9, 200, 77, 255]);
});

test('around a GIF’s first frame that is smaller there is what Pillow has there', async () => {
  const gif = (transparent) =>
    Buffer.concat([
      Buffer.from([...Buffer.from('GIF89a'), 8, 0, 8, 0, 0x81, 3, 0]),
      Buffer.from([200, 10, 20, 0, 255, 0, 0, 0, 255, 255, 255, 0]), // four colours
      transparent ? Buffer.from([0x21, 0xf9, 4, 1, 0, 0, 1, 0]) : Buffer.alloc(0),
      Buffer.from([0x2c, 2, 0, 2, 0, 2, 0, 2, 0, 0, 2, 3, 0x94, 0x28, 0x15, 0, 0x3b]), // 2 x 2 of the third
    ]);
  const at = ({ data, width }, x, y) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)];
  const opaque = await decodeImage(gif(false));
  assert.deepEqual(
    [at(opaque, 0, 0), at(opaque, 7, 7), at(opaque, 2, 2), at(opaque, 3, 3)],
    [
      [200, 10, 20, 255],
      [200, 10, 20, 255],
      [0, 0, 255, 255],
      [0, 0, 255, 255],
    ],
  );
  const through = await decodeImage(gif(true));
  assert.deepEqual([at(through, 0, 0)[3], at(through, 2, 2)], [0, [0, 0, 255, 255]]);
});

test('load and the calls refuse what they do not know, and no message carries its input', async () => {
  const bytes = new Uint8Array(5e6).fill(65);
  const long = 'x'.repeat(1e5);
  const refused = [
    [load('model.safetensors'), /options of load are "model\.safetensors", expected an object/],
    [load(new URL('https://example.org/m.safetensors')), /a URL, expected an object/],
    [load(null), /are null/],
    [load(bytes), /a Uint8Array/],
    [load({ modelUrl: '/m.safetensors' }), /no option "modelUrl": did you mean model\?/],
    [load({ bakend: 'wasm' }), /did you mean backend\?/],
    [load({ wasmURL: '/' }), /did you mean wasmUrl\?/],
    [load({ executionProviders: ['webgpu'] }), /no option "executionProviders"\. It has model, /],
    [load({ backend: long }), /backend is "x+…", expected one of "auto", "webgpu", "wasm"\./],
    [load({ model: { [long]: 1 } }), /model is an object, expected/],
    [load({ model: [...bytes.subarray(0, 1000)] }), /a list of 1000/],
    [load({ labels: 'abc' }), /labels is "abc"/],
    [load({ flavour: 'simd' }), /flavour is "simd", expected one of "relaxed-threads"/],
    [load({ threads: NaN }), /threads is NaN, expected a whole number from 1\./],
    [net.classify(photo, 3), /options of classify are 3/],
    [net.classify(photo, { topk: 3 }), /did you mean topK\?/],
    [net.classify(photo, { topK: Infinity }), /topK is Infinity, expected a whole number from 1\./],
    [net.classify([photo], { errors: 'ignore' }), /errors is "ignore", expected one of "throw", "return"\./],
    [net.features(photo, { stage: 3, topK: 0 }), /topK is 0/],
    [net.features(photo, { taps: 'layer3.ghost' }), /taps is "layer3\.ghost", expected a list/],
    [net.features(photo, { taps: [long] }), /./],
    [net.embed(photo, { tap: 'avgpool' }), /embed has no option "tap"/],
    [net.forward(), /data is undefined/],
    [net.forward(new Float32Array(12)), /data is undefined/],
    [net.forward({ data: new Float32Array(12) }), /dims are undefined/],
    [net.drawFeature(null, { tap: 'conv1' }), /canvas is null/],
    [net.ablated({ stage: 3, ghost: 'off' }, { seeed: 1 }), /ablated has no option/],
    [net.randomTwin(7), /are 7/],
    [net.redundancy(photo, { stages: 3 }), /did you mean stage\?/],
    [net.classify(long), /./],
    [net.classify(`data:image/png;base64,${long}`), /./],
    [net.classify({ [long]: 1 }), /An object is not a picture/],
    [net.classify(new Map([[1, photo]])), /./],
    [net.classify(() => photo), /A function is not a picture/],
    [net.classify({ data: bytes, width: 7, height: 7 }), /needs 196 bytes of RGBA, got 5000000/],
  ];
  for (const [failing, words] of refused.map(([call, words]) => [failureOf(call), words])) {
    const { message } = await failing;
    assert.match(message, words);
    assert.doesNotMatch(message, /x{300}|(65,){5}/);
  }
});

test(
  'a list streams: its own times, memory that stays, and one bad picture has its place and name',
  { timeout: 600e3 },
  async () => {
    const bad = path.join(folder, 'bad one.jpg');
    await writeFile(bad, 'no picture');
    const answers = await net.classify([photo, bad, new Blob(['']), photo], { errors: 'return', topK: 1 });
    assert.deepEqual(
      answers.map((answer) => ('error' in answer ? answer.error.code : answer.top[0].label)),
      [cat[0].label, 'bad-image', 'bad-image', cat[0].label],
    );
    assert.equal(answers[1].index, 1);
    assert.match(answers[1].name, /bad one\.jpg$/);
    assert.ok(answers[1].error instanceof GGhostError);
    const error = await failureOf(net.classify([photo, bad, photo]));
    assert.deepEqual([error.index, error.code], [1, 'bad-image']);
    assert.match(error.message, /^Picture 2 \(.*bad one\.jpg\): This is a text file/);
    await failureOf(net.classify(new Set()));

    const bytes = await readFile(photo);
    let made = 0;
    let most = 0;
    async function* pictures(count, { at, ended } = {}) {
      try {
        for (let i = 0; i < count; i++) {
          if (i === 20) at?.();
          made += 1;
          most = Math.max(most, process.memoryUsage().rss);
          yield bytes;
        }
      } finally {
        ended?.();
      }
    }
    const started = performance.now();
    const first = await net.classify(pictures(60), { topK: 1 });
    const took = performance.now() - started;
    assert.equal(first.length, 60);
    const forward = first.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    assert.ok(forward <= took, `${forward} ms of the network in ${took} ms`);
    assert.ok(new Set(first.map(({ milliseconds }) => milliseconds)).size > 1);
    const before = most;
    await net.classify(pictures(240), { topK: 1 });
    assert.equal(made, 300);
    assert.ok(most - before < 60e6, `${((most - before) / 1e6).toFixed(0)} MB more for 240 pictures`);
    // A generator is stopped where the call ends.
    const controller = new AbortController();
    const before20 = made;
    await new Promise((ended, reject) => {
      const endless = pictures(1e6, { at: () => controller.abort(), ended });
      net.classify(endless, { signal: controller.signal }).then(reject, ({ code }) => {
        if (code !== 'aborted') reject(new Error(code));
      });
    });
    assert.ok(
      made - before20 <= 20 + 8,
      `${made - before20} pictures were taken, of which the twentieth ended the call`,
    );
    assert.equal((await net.classify(photo)).top[0].label, cat[0].label);
  },
);

test('an answer that does not come holds nobody, and ends with its signal or with the net', async () => {
  const stalled = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
  const controller = new AbortController();
  const first = failureOf(net.classify(stalled(), { signal: controller.signal }));
  const other = await load({ model, wasmUrl });
  const second = failureOf(other.classify([photo, stalled()]));
  assert.equal((await net.classify(photo)).top[0].label, cat[0].label);
  assert.equal((await other.classify(photo)).top[0].label, cat[0].label);
  controller.abort();
  other.dispose();
  assert.equal((await first).code, 'aborted');
  assert.equal((await second).code, 'disposed');
});

test('a test environment without the classes of a browser is no obstacle', async () => {
  const taken = ['Response', 'Request', 'Headers', 'fetch', 'ImageData', 'navigator'].map((name) => [
    name,
    Object.getOwnPropertyDescriptor(globalThis, name),
  ]);
  for (const [name, there] of taken) if (there) delete globalThis[name];
  try {
    const bare = await load({ model, wasmUrl });
    assert.equal((await bare.classify(photo)).top[0].label, cat[0].label);
    bare.dispose();
    const error = await failureOf(net.classify('https://example.org/cat.jpg'));
    assert.equal(error.code, 'network');
  } finally {
    for (const [name, there] of taken) if (there) Object.defineProperty(globalThis, name, there);
  }
});

test('info says why there is one thread', () => {
  assert.equal(net.info.threads, 1);
  assert.match(net.info.threadsReason, /no workers here/);
});

test('the command takes folders as people have them, and says what it leaves out', async () => {
  const set = path.join(folder, 'set');
  const far = path.join(folder, 'far');
  await mkdir(path.join(set, '__MACOSX'), { recursive: true });
  await mkdir(path.join(far, 'deep'), { recursive: true });
  await mkdir(path.join(set, '.thumbnails'));
  for (const file of [
    'a.jfif',
    'b.JPE',
    'c.jpeg',
    '._c.jpeg',
    '.hidden.jpg',
    '__MACOSX/c.jpg',
    '.thumbnails/c.jpg',
    '../far/deep/linked.jpg',
  ])
    await cp(photo, path.join(set, file));
  for (const file of ['notes.txt', 'more.txt', 'film.mov', 'README']) await writeFile(path.join(set, file), 'x');
  await writeFile(
    path.join(set, 'phone.HEIC'),
    Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(99)]),
  );
  await symlink(path.join(set, 'a.jfif'), path.join(set, 'd link.jpg'));
  await symlink(far, path.join(set, 'elsewhere'));
  await symlink(set, path.join(far, 'back')); // a loop
  await symlink('nowhere.jpg', path.join(set, 'broken.jpg'));
  const { code, out, err } = await command('--json', set);
  assert.equal(code, 1, 'the HEIC is not read');
  const found = JSON.parse(out);
  assert.deepEqual(
    found.map(({ file }) => path.relative(set, file)),
    ['a.jfif', 'b.JPE', 'c.jpeg', 'd link.jpg', 'elsewhere/deep/linked.jpg'],
  );
  for (const { top } of found) assert.equal(top[0].label, cat[0].label);
  assert.match(err, /phone\.HEIC: This is a HEIC picture, which sharp cannot read/);
  assert.match(err, /set: 5 files are left out: 2 \.txt/);
  assert.match(err, /1 of 6 could not be read/);
  const none = await command(path.join(set, '__MACOSX/..', '.thumbnails/../__MACOSX'));
  assert.equal(none.code, 0, none.err);
});

test('the command keeps the order of many pictures on every core', { timeout: 600e3 }, async () => {
  const many = path.join(folder, 'many');
  await mkdir(many);
  const samples = JSON.parse(await readFile(path.join(repository, 'www/samples/samples.json'), 'utf8'));
  for (let i = 0; i < 40; i++)
    await symlink(
      path.join(repository, 'www/samples', samples[i % samples.length].file),
      path.join(many, `${String(i).padStart(3, '0')}.jpg`),
    );
  await writeFile(path.join(many, '017x.jpg'), 'broken');
  const alone = await command('--json', 'www/samples');
  const expected = new Map(JSON.parse(alone.out).map(({ file, top }) => [path.basename(file), top]));
  const { code, out, err } = await command('--json', many);
  assert.equal(code, 1);
  assert.match(err, /017x\.jpg: This is a text file/);
  const found = JSON.parse(out);
  assert.equal(found.length, 40);
  found.forEach(({ file, top }, i) => {
    assert.equal(path.basename(file), `${String(i).padStart(3, '0')}.jpg`);
    assert.deepEqual(top, expected.get(samples[i % samples.length].file));
  });
});
