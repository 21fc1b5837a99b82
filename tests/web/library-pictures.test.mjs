// Pictures as pages have them: lazy, stalled, of other realms, SVG of every kind, turned, framed, in lists.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';

import { repository } from '../../tools/serve.mjs';
import { decodeImage } from '../../www/lib/node.js';
import { blankPages, chromiumOnly, engine, inPage, page, server, withWebgpu } from './support/blank.mjs';
import { cat } from './support/golden.mjs';

blankPages();

const photo = path.join(repository, 'www/samples/cat.jpg');
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

function assertCat(top, tolerance, name) {
  assert.equal(top[0].label, cat[0].label, name);
  assert.ok(
    Math.abs(top[0].probability - cat[0].probability) <= tolerance,
    `${name}: ${top[0].probability}, PyTorch has ${cat[0].probability}`,
  );
}

test(
  'a picture that does not come holds no other call, and ends with its signal, the net or never',
  { timeout: 300e3 },
  async (t) => {
    // No answer, ever; a server of its own, because a browser has few connections for each.
    const dead = http.createServer(() => {});
    await new Promise((resolve) => dead.listen(0, '127.0.0.1', resolve));
    t.after(() => (dead.close(), dead.closeAllConnections()));
    const stalled = `http://127.0.0.1:${dead.address().port}/stalled`;
    // The late picture comes when the page asks for its release.
    let release;
    let released;
    await page.route('**/late.jpg', async (route) => {
      await released;
      await route.fulfill({ path: photo });
    });
    await page.route('**/release', (route) => (release(), route.fulfill({ body: '' })));
    for (const worker of [true, false]) {
      released = new Promise((resolve) => (release = resolve));
      const { fast, late, codes, disposed } = await inPage(
        async ({ load }, codeOf, [worker, stalled]) => {
          const net = await load({ backend: 'wasm', worker });
          await net.classify('/samples/cat.jpg');
          const image = (properties) => {
            const made = Object.assign(document.createElement('img'), properties);
            document.body.append(made);
            return made;
          };
          const stream = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
          const controller = new AbortController();
          const { signal } = controller;
          const late = net.classify('/late.jpg');
          const waiting = [
            net.classify(image({ src: `${stalled}.jpg` }), { signal }),
            net.classify(`${stalled}.png`, { signal }),
            net.features(stream(), { stage: 3, signal }),
            net.embed(['/samples/cat.jpg', `${stalled}.gif`], { signal }),
          ].map(codeOf);
          const rest = [
            net.classify(`${stalled}.webp`),
            net.classify(image({ src: `${stalled}.avif`, loading: 'lazy' })),
          ].map(codeOf);
          const fast = [];
          for (let i = 0; i < 4; i++) fast.push((await net.classify('/samples/cat.jpg')).top);
          controller.abort();
          const codes = await Promise.all(waiting);
          fast.push((await net.classify('/samples/cat.jpg')).top);
          await fetch('/release');
          const { top } = await late;
          net.dispose();
          return { fast, late: top, codes, disposed: await Promise.all(rest) };
        },
        [worker, stalled],
      );
      for (const top of fast) assertCat(top, 1e-3, 'beside');
      assertCat(late, 1e-3, 'late');
      assert.deepEqual(codes, ['aborted', 'aborted', 'aborted', 'aborted']);
      assert.deepEqual(disposed, ['disposed', 'disposed']);
    }
  },
);

test('a lazy image is read wherever it is: far below, hidden, detached, in a <picture>', async () => {
  const answers = await inPage(async ({ load }) => {
    const net = await load({ backend: 'wasm' });
    document.body.innerHTML = `<div style="height: 30000px"></div>
      <img id="far" loading="lazy" src="/samples/cat.jpg?far">
      <img id="set" loading="lazy" srcset="/samples/cat.jpg?set 1x, /samples/coffee.jpg 9x">
      <div style="display: none"><img id="hidden" loading="lazy" src="/samples/cat.jpg?hidden"></div>
      <picture id="picture"><source srcset="/samples/cat.jpg?source" type="image/jpeg"><img></picture>
      <picture id="lazy"><source srcset="/samples/cat.jpg?lazy"><img loading="lazy" src="/samples/cat.jpg?img"></picture>`;
    const detached = Object.assign(new Image(), { loading: 'lazy', src: '/samples/cat.jpg?detached' });
    const inner = document.querySelector('#picture img');
    const inputs = {
      detached,
      'img in a picture': inner,
      fresh: Object.assign(new Image(), { src: '/samples/cat.jpg?fresh' }),
    };
    for (const element of document.querySelectorAll('[id]')) inputs[element.id] = element;
    const answers = {};
    for (const [name, input] of Object.entries(inputs)) answers[name] = (await net.classify(input)).top;
    return answers;
  });
  assert.equal(Object.keys(answers).length, 8);
  for (const [name, top] of Object.entries(answers)) assertCat(top, 1e-3, name);
});

test('what belongs to a frame is as good as the page’s own', async () => {
  const answers = await inPage(async ({ load }) => {
    const net = await load({ backend: 'wasm' });
    const frame = document.createElement('iframe');
    frame.srcdoc = '<img src="/samples/cat.jpg"><picture><img src="/samples/cat.jpg"></picture><canvas></canvas>';
    await new Promise((resolve) => ((frame.onload = resolve), document.body.append(frame)));
    const view = frame.contentWindow;
    const [img, second] = view.document.images;
    await img.decode();
    await second.decode();
    const canvas = view.document.querySelector('canvas');
    Object.assign(canvas, { width: img.naturalWidth, height: img.naturalHeight });
    const context = canvas.getContext('2d');
    context.drawImage(img, 0, 0);
    const blob = await (await view.fetch('/samples/cat.jpg')).blob();
    const bytes = new view.Uint8Array(await blob.arrayBuffer());
    const inputs = {
      img,
      canvas,
      blob,
      bytes,
      memory: view.Uint8Array.from(bytes).buffer,
      picture: view.document.querySelector('picture'),
      file: new view.File([blob], 'x'),
      bitmap: await view.createImageBitmap(img),
      url: new view.URL('/samples/cat.jpg', location.href),
      pixels: context.getImageData(0, 0, canvas.width, canvas.height),
      response: await view.fetch('/samples/cat.jpg'),
    };
    const answers = {};
    for (const [name, input] of Object.entries(inputs)) answers[name] = (await net.classify(input)).top;
    answers.list = (await net.classify(view.document.images))[1].top;
    const { signal } = new view.AbortController();
    answers.signal = (await net.classify(img, { signal })).top;
    const model = new view.Uint8Array(await net.model.arrayBuffer());
    const other = await load({ model, backend: 'wasm' });
    answers.model = (await other.classify(bytes)).top;
    return answers;
  });
  assert.equal(Object.keys(answers).length, 14);
  for (const [name, top] of Object.entries(answers)) assertCat(top, 1e-3, name);
});

const drawing =
  '<rect width="60" height="40" fill="#c33"/><circle cx="30" cy="20" r="18" fill="#3c6"/>' +
  '<path d="M0 0L60 40" stroke="#225" stroke-width="5"/>';
const ns = 'xmlns="http://www.w3.org/2000/svg"';
/** SVGs that show one drawing in 60 x 40. */
const svgs = {
  plain: `<svg ${ns} width="60" height="40">${drawing}</svg>`,
  declared: `<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<svg ${ns} width="60" height="40">${drawing}</svg>`,
  illustrator: `<?xml version="1.0" encoding="iso-8859-1"?>\r\n<!-- Generator: an editor > 1.0, width="7" -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [\n<!ENTITY ns_x "http://example.org/x">\n]>\n<svg version="1.1" ${ns} xmlns:x="&ns_x;" x="0px" y="0px" width="60px" height="40px" viewBox="0 0 60 40"><title>x</title>${drawing}</svg>`,
  marked: `\ufeff<svg ${ns} width="60" height="40">${drawing}</svg>`,
  'marked and declared': `\ufeff<?xml version="1.0"?><!-- x --><svg ${ns} viewBox="0 0 60 40">${drawing}</svg>`,
  spaced: `\n\n   <!-- one -->  <!-- two -->\n<svg\n  ${ns}\n  width='60'\n  height='40'>${drawing}</svg>`,
  'a box only': `<svg ${ns} viewBox="0 0 60 40">${drawing}</svg>`,
  'in percent': `<svg ${ns} width="100%" height="100%" viewBox="0,0,60,40">${drawing}</svg>`,
  'a width only': `<svg ${ns} width="60" viewBox="0 0 30 20"><g transform="scale(.5)">${drawing}</g></svg>`,
  'a height and percent': `<svg ${ns} width='100%' height="40" viewBox="0 0 30 20"><g transform="scale(.5)">${drawing}</g></svg>`,
  'with an attribute like one': `<svg ${ns} data-width="3" stroke-width="1" viewBox="0 0 60 40">${drawing}</svg>`,
  prefixed: `<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 60 40">${drawing.replaceAll('<', '<s:')}</s:svg>`,
  'a long head': `<?xml version="1.0"?><!--${' A licence. '.repeat(400)}--><svg ${ns} viewBox="0 0 60 40">${drawing}</svg>`,
};

test('SVG as people have it has one answer: by address, Blob, File and element', { timeout: 300e3 }, async () => {
  const files = Object.fromEntries(Object.entries(svgs).map(([name, text]) => [name, base64(Buffer.from(text))]));
  files['utf-16'] = base64(
    Buffer.from(
      `\ufeff<?xml version="1.0" encoding="utf-16"?><svg ${ns} viewBox="0 0 60 40">${drawing}</svg>`,
      'utf16le',
    ),
  );
  await page.route('**/vector/*', (route) => {
    const name = decodeURIComponent(new URL(route.request().url()).pathname.split('/').at(-1));
    return route.fulfill({ body: Buffer.from(files[path.parse(name).name], 'base64'), contentType: 'image/svg+xml' });
  });
  // Which Chromium shows in no <img>.
  files['latin-1'] = base64(
    Buffer.from(
      `<?xml version="1.0" encoding="iso-8859-1"?><svg ${ns} viewBox="0 0 60 40"><title>\xe9\xff</title>${drawing}</svg>`,
      'latin1',
    ),
  );
  const { answers, inline } = await inPage(async ({ load }, codeOf, files) => {
    const net = await load({ backend: 'wasm' });
    const probabilities = async (input) => {
      const { top } = await net.classify(input, { topK: 10 });
      return top.sort((a, b) => a.index - b.index).map(({ probability }) => probability);
    };
    const answers = {};
    for (const [name, text] of Object.entries(files)) {
      const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      const address = `/vector/${encodeURIComponent(name)}.svg?version=1`;
      const image = Object.assign(new Image(), { src: address });
      const stored = Object.assign(new Image(), {
        src: URL.createObjectURL(new Blob([bytes], { type: 'image/svg+xml' })),
      });
      const ways = {
        address,
        blob: new Blob([bytes]),
        file: new File([bytes], 'x.svg', { type: 'image/svg+xml' }),
        bytes,
        image,
        stored,
        response: await fetch(address),
      };
      if (name === 'latin-1') ['image', 'stored'].forEach((way) => delete ways[way]);
      for (const [way, input] of Object.entries(ways)) {
        answers[`${name}, ${way}`] = await probabilities(input).catch((error) => {
          throw new Error(`${name}, ${way}: ${error.message}`);
        });
      }
    }
    document.body.innerHTML = `<div style="width: 60px">${atob(files['a box only'])}</div>`;
    const inline = await probabilities(document.querySelector('svg'));
    return { answers, inline };
  }, files);
  const expected = answers['plain, blob'];
  assert.ok(Math.max(...expected) > 0.1);
  for (const [name, found] of [...Object.entries(answers), ['inline', inline]]) {
    const worst = Math.max(...found.map((value, i) => Math.abs(value - expected[i])));
    assert.ok(worst < 0.02, `${name}: off by ${worst}`);
  }
});

test('an SVG, and a relative address, in a worker that was made of a Blob get the right sentences', async () => {
  const [svg, relative] = await inPage(async () => {
    const library = new URL('/lib/index.js', location.href).href;
    const code = `import { load } from ${JSON.stringify(library)};
      const net = await load({ worker: false, backend: 'wasm' });
      const told = (promise) => promise.then(() => 'answered', ({ name, code, message }) => name + ' ' + code + ': ' + message);
      postMessage([await told(net.classify(new Blob(['<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>']))), await told(net.classify('samples/cat.jpg'))]);`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
  });
  assert.match(svg, /^GGhostError unsupported: This is an SVG picture, which only a page can draw/);
  assert.match(
    relative,
    /^GGhostError bad-image: The address "samples\/cat\.jpg" cannot be used: this script was made of a Blob/,
  );
});

test('WebP is turned as its EXIF says, in each of the eight ways, as in Node', async () => {
  const [width, height] = [48, 32];
  // Each corner has a colour of its own.
  const raw = Buffer.alloc(3 * width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      raw.set([x < width / 2 ? 230 : 20, y < height / 2 ? 220 : 30, (x * 5) % 200], 3 * (y * width + x));
  for (let orientation = 1; orientation <= 8; orientation++) {
    const file = await sharp(raw, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation })
      .webp({ lossless: true })
      .toBuffer();
    const expected = await decodeImage(new Uint8Array(file));
    const found = await inPage(async (_, __, text) => {
      const { toPixels } = await import('/source/image.js');
      const { data, width, height } = await toPixels(
        new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]),
      );
      return { data: Array.from(data), width, height };
    }, base64(file));
    assert.deepEqual(
      [found.width, found.height],
      orientation > 4 ? [height, width] : [width, height],
      `orientation ${orientation}`,
    );
    assert.deepEqual(found.data, Array.from(expected.data), `orientation ${orientation}`);
  }
});

test('around a GIF’s first frame that is smaller the browser has what Node has', async () => {
  for (const transparent of [false, true]) {
    const file = Buffer.concat([
      Buffer.from([...Buffer.from('GIF89a'), 8, 0, 8, 0, 0x81, 3, 0, 200, 10, 20, 0, 255, 0, 0, 0, 255, 255, 255, 0]),
      Buffer.from([0x21, 0xfe, 2, 104, 105, 0]), // a comment
      transparent ? Buffer.from([0x21, 0xf9, 4, 1, 0, 0, 1, 0]) : Buffer.alloc(0),
      Buffer.from([0x2c, 2, 0, 2, 0, 2, 0, 2, 0, 0, 2, 3, 0x94, 0x28, 0x15, 0, 0x3b]),
    ]);
    const found = await inPage(async (_, __, text) => {
      const { toPixels } = await import('/source/image.js');
      return Array.from(
        (await toPixels(new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]))).data,
      );
    }, base64(file));
    const { data } = await decodeImage(new Uint8Array(file));
    for (let i = 0; i < 64; i++) {
      const [own, other] = [found.slice(4 * i, 4 * i + 4), [...data.subarray(4 * i, 4 * i + 4)]];
      if (own[3] || other[3]) assert.deepEqual(own, other, `pixel ${i}`);
    }
  }
});

test('what is no picture is told by its kind', async () => {
  const ftyp = (brand) =>
    Buffer.concat([Buffer.from(`\0\0\0\x18ftyp${brand}\0\0\0\0mif1${brand}`, 'latin1'), Buffer.alloc(80)]);
  const files = [
    [ftyp('heic'), /^bad-image This is a HEIC picture, which this browser cannot read\. Try/],
    [Buffer.from('\xff\x0a0123456789', 'latin1'), /a JPEG XL picture, which/],
    [Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'), /git lfs pull/],
    [Buffer.from('8BPS\0\x01012345', 'latin1'), /Photoshop/],
    [ftyp('mp42'), /an MP4 film/],
    [(await readFile(photo)).subarray(0, 500), /JPEG picture, but damaged/],
    [Buffer.from('<html><body>x'), /a web page/],
  ];
  const told = await inPage(
    async ({ load }, _, files) => {
      const net = await load({ backend: 'wasm' });
      const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      return Promise.all(
        files.map((text) =>
          net.classify(bytes(text)).then(
            () => 'answered',
            ({ code, message }) => `${code} ${message}`,
          ),
        ),
      );
    },
    files.map(([file]) => base64(file)),
  );
  told.forEach((words, i) => {
    // Others than Chromium show a picture that ends early as far as it goes.
    if (engine === 'Chromium' || words !== 'answered' || !/damaged/.test(files[i][1])) assert.match(words, files[i][1]);
  });
});

test('lists are anything that can be gone through; one bad picture has its place and name', async () => {
  const { lists, returned, thrown, empty, times, calls } = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const blob = await (await fetch('/samples/cat.jpg')).blob();
    const images = [1, 2, 3].map((i) => Object.assign(document.createElement('img'), { src: `/samples/cat.jpg?${i}` }));
    document.body.append(...images);
    const transfer = new DataTransfer();
    for (const name of ['a.jpg', 'b.jpg', 'c.jpg']) transfer.items.add(new File([blob], name));
    const input = Object.assign(document.createElement('input'), { type: 'file', multiple: true });
    input.files = transfer.files;
    const given = {
      FileList: input.files,
      NodeList: document.querySelectorAll('img'),
      HTMLCollection: document.images,
      Set: new Set(images),
      generator: (function* () {
        const canvas = new OffscreenCanvas(400, 300);
        for (const image of images) yield (canvas.getContext('2d').drawImage(image, 0, 0, 400, 300), canvas);
      })(),
      asynchronous: (async function* () {
        for (let i = 0; i < 3; i++) yield (await fetch('/samples/cat.jpg')).blob();
      })(),
    };
    await Promise.all(images.map((image) => image.decode()));
    const lists = {};
    for (const [name, list] of Object.entries(given))
      lists[name] = (await net.classify(list)).map(({ top }) => top[0].label);
    const bad = [blob, new File(['no'], 'holiday.txt'), '/samples/none.jpg', blob];
    const answers = await net.classify(bad, { errors: 'return' });
    const returned = answers.map((answer) =>
      answer.error ? [answer.error.code, answer.index, answer.name] : answer.top[0].label,
    );
    const thrown = await net
      .embed(bad.filter((one) => typeof one !== 'string'))
      .catch(({ code, index, message }) => ({ code, index, message }));
    const many = await net.classify(Array(30).fill(blob), { topK: 1 });
    // A long list lets other calls through.
    const order = [];
    const long = net.classify(Array(40).fill(blob)).then(() => order.push('list'));
    await net.classify(blob).then(() => order.push('one'));
    await long;
    return {
      lists,
      returned,
      thrown,
      empty: await codeOf(net.classify(new DataTransfer().files)),
      times: many.map(({ milliseconds }) => milliseconds),
      calls: order,
    };
  });
  assert.equal(Object.keys(lists).length, 6);
  for (const [name, labels] of Object.entries(lists)) assert.deepEqual(labels, Array(3).fill(cat[0].label), name);
  assert.deepEqual(returned, [
    cat[0].label,
    ['bad-image', 1, 'holiday.txt'],
    ['network', 2, '/samples/none.jpg'],
    cat[0].label,
  ]);
  assert.equal(thrown.code, 'bad-image');
  assert.equal(thrown.index, 1);
  assert.match(thrown.message, /^Picture 2 \(holiday\.txt\): /);
  assert.equal(empty, 'bad-image');
  assert.ok(new Set(times).size > 1 && Math.max(...times) < times.reduce((a, b) => a + b, 0) / 2, String(times));
  assert.deepEqual(calls, ['one', 'list']);
});

test(
  'a graphics card gets several pictures of a list at once, each with the answer it has alone',
  { ...chromiumOnly, timeout: 300e3 },
  async () => {
    await withWebgpu(async () => {
      const { alone, listed, most, failed, maps } = await inPage(async ({ load }) => {
        const { GpuNet } = await import('/wasm/webgpu/g_ghostnet.js');
        const { forward } = GpuNet.prototype;
        let most = 0;
        GpuNet.prototype.forward = function (...given) {
          most = Math.max(most, given[1]);
          return forward.apply(this, given);
        };
        const net = await load({ backend: 'webgpu', worker: false });
        const names = ['cat', 'coffee', 'dahlia', 'rocket', 'pavilion', 'bricks', 'astronaut', 'galaxies'];
        const files = names.map((name) => `/samples/${name}.jpg`);
        const alone = [];
        for (const file of files) alone.push((await net.classify(file)).top);
        const bitmap = await createImageBitmap(await (await fetch(files[0])).blob());
        const answers = await net.classify([...files, bitmap, '/samples/none.jpg', ...files], { errors: 'return' });
        const listed = answers.map(({ top }) => top);
        const few = await net.features(files.slice(0, 3), { stage: 4 });
        const one = await net.features(files[1], { stage: 4 });
        const worst = (a, b) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
        const { last } = one.stage;
        const maps = {
          worst: worst(few[1].maps[last].data, one.maps[last].data),
          dims: few[1].maps[last].dims,
          expected: one.maps[last].dims,
        };
        return { alone, listed, most, failed: answers[9], maps };
      });
      assert.equal(most, 8);
      assert.equal(listed.length, 18);
      assert.equal(failed.index, 9);
      const expected = [...alone, alone[0], undefined, ...alone];
      listed.forEach((top, i) => {
        if (i === 9) return;
        assert.equal(top[0].label, expected[i][0].label, `picture ${i}`);
        assert.ok(Math.abs(top[0].probability - expected[i][0].probability) < 1e-3, `picture ${i}`);
      });
      assert.deepEqual(maps.dims, maps.expected);
      assert.ok(maps.worst < 1e-3, String(maps.worst));
    });
  },
);

test('pictures that are being read survive a crash of the engine', async () => {
  const crashing = `
    const { Net } = await import('/wasm/fixed/g_ghostnet.js');
    const forward = Net.prototype.forward;
    Net.prototype.forward = function (...given) {
      if (given[3] === 33) throw new WebAssembly.RuntimeError('unreachable');
      return forward.apply(this, given);
    };`;
  await page.route('**/lib/worker.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: crashing + (await response.text()) });
  });
  for (const worker of [true, false]) {
    const { codes, tops } = await inPage(
      async ({ load }, codeOf, { worker, crashing }) => {
        if (!worker)
          await import(
            'data:text/javascript,' + encodeURIComponent(crashing.replace("'/wasm", `'${location.origin}/wasm`))
          );
        const net = await load({ worker, backend: 'wasm', flavour: 'fixed' });
        const blob = await (await fetch('/samples/cat.jpg')).blob();
        const bitmap = await createImageBitmap(blob);
        const [codes, tops] = [[], []];
        for (let round = 0; round < 3; round++) {
          const reading = [blob, blob, '/samples/cat.jpg', bitmap].map((input) => net.classify(input));
          const crash = net.forward({ data: new Float32Array(3 * 34 * 33), dims: [1, 3, 34, 33] });
          reading.push(net.classify(blob), net.classify(bitmap));
          codes.push(await codeOf(crash));
          for (const { top } of await Promise.all(reading)) tops.push(top);
        }
        return { codes, tops };
      },
      { worker, crashing },
    );
    assert.deepEqual(codes, ['crashed', 'crashed', 'crashed']);
    assert.equal(tops.length, 18);
    for (const top of tops) assertCat(top, 1e-3, 'beside a crash');
  }
});

test('a tap reaches its caller in memory of its own, once', async () => {
  const { own, whole, moved } = await inPage(async ({ load }) => {
    const net = await load({ backend: 'wasm', worker: false, flavour: 'fixed' });
    const { Output } = await import('/wasm/fixed/g_ghostnet.js');
    const { tap } = Output.prototype;
    const given = [];
    Output.prototype.tap = function (i) {
      given.push(tap.call(this, i));
      return given.at(-1);
    };
    const { maps, stage } = await net.features('/samples/cat.jpg', { stage: 3 });
    Output.prototype.tap = tap;
    const first = maps[stage.first];
    const moved = Object.values(maps).every(({ data }) => given.some((one) => one.buffer === data.buffer));
    const before = first.data[0];
    first.data[0] = before + 1;
    const again = await net.features('/samples/cat.jpg', { stage: 3 });
    return {
      own: again.maps[stage.first].data[0] === before,
      whole: first.data.byteLength === first.data.buffer.byteLength,
      moved,
    };
  });
  assert.deepEqual({ own, whole, moved }, { own: true, whole: true, moved: true });
});

test('a page of a file, an insecure one and one without words: the reason that is the right one', async () => {
  const { words, own } = await inPage(async ({ load }) => {
    const { compile, compileStreaming } = WebAssembly;
    WebAssembly.compileStreaming = () =>
      Promise.reject(new WebAssembly.CompileError('WebAssembly.compileStreaming(): '));
    WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError('WebAssembly.compile(): '));
    const words = await load({ worker: false, backend: 'wasm' }).catch(({ code, message }) => `${code} ${message}`);
    Object.assign(WebAssembly, { compile, compileStreaming });
    Object.defineProperty(globalThis, 'isSecureContext', { value: false });
    Object.defineProperty(navigator, 'gpu', { value: undefined, configurable: true });
    const net = await load({ worker: false });
    const insecure = net.info.backendReason;
    const asked = await load({ worker: false, backend: 'webgpu' }).catch(({ code, message }) => `${code} ${message}`);
    return { words, own: [insecure, asked, net.info.threadsReason] };
  });
  assert.match(words, /^unsupported The page’s content security policy forbids WebAssembly/);
  assert.match(own[0], /^WebGPU needs a secure page/);
  assert.match(own[1], /^unsupported WebGPU needs a secure page/);
  assert.match(own[2], /^Threads need the engine in a worker/);
});

test('the library’s own files that are not there are not the visitor’s fault', async () => {
  await page.route('**/models/*.safetensors', (route) => route.fulfill({ status: 404 }));
  const told = await inPage(({ load }) =>
    load({ backend: 'wasm' }).then(
      () => '',
      ({ message }) => message,
    ),
  );
  assert.match(told, /The library’s files are not beside its scripts, which a bundler has moved/);
  assert.doesNotMatch(told, /Check the address/);
});

test('shared memory is looked at itself', async () => {
  await page.route('**/lib/worker.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `delete globalThis.SharedArrayBuffer;${await response.text()}` });
  });
  await page.goto(`${server.url}blank/`);
  const { threads, threadsReason, flavour } = await inPage(
    async ({ load }) => (await load({ backend: 'wasm', threads: 2 })).info,
  );
  assert.deepEqual([threads, threadsReason], [1, 'This browser gives no shared memory.']);
  assert.doesNotMatch(flavour, /threads/);
});
