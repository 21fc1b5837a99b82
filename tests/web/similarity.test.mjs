// Similarity of feature maps and networks without a part, as the library gives them: in Chromium on both engines, and in Node.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { repository } from '../../tools/serve.mjs';
import { blankPages, chromiumOnly, inPage, page, withWebgpu } from './support/blank.mjs';
import { checkpoint } from './support/pth.mjs';

blankPages();

const close = (found, expected, tolerance, name) => {
  assert.equal(found.length, expected.length, name);
  found.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) <= tolerance, `${name} ${i}: ${value}, expected ${expected[i]}`),
  );
};

/** `count` numbers in [-1, 1) from a name, as tests/reference/README.md says. */
function unit(name, count) {
  const mask = (1n << 64n) - 1n;
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(name)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & mask;
  return Array.from({ length: count }, (_, i) => {
    let z = (hash + BigInt(i + 1) * 0x9e3779b97f4a7c15n) & mask;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    z ^= z >> 31n;
    return Number(z >> 40n) / 2 ** 23 - 1;
  });
}

/** The maps that tests/reference/similarity.py made. */
function madePair(i) {
  const x = unit(`x${i}`, 6 * 35).map((value) => Math.fround(Math.fround(value) + 3));
  const [mix, noise] = [unit('mix', 9 * 6), unit(`y${i}`, 9 * 35)];
  const y = noise.map((value, at) => {
    const [o, p] = [Math.floor(at / 35), at % 35];
    return (
      Array.from({ length: 6 }, (_, c) => mix[o * 6 + c] * x[c * 35 + p]).reduce((a, b) => a + b) + 0.5 * value - 2
    );
  });
  return [
    { data: x, dims: [6, 5, 7] },
    { data: y, dims: [9, 5, 7] },
  ];
}

/** Compares made numbers with whatever opened `similarity`; the same in a page and in Node. */
async function measureMade(similarity, { pairs, held, ridge }) {
  const maps = ({ data, dims }) => ({ data: Float32Array.from(data), dims });
  const [a, b] = pairs[0].map(maps);
  const sums = similarity.accumulate();
  for (const [i, [x, y]] of pairs.entries()) await sums.add(maps(x), maps(y), { heldOut: held.includes(i) });
  const { pearson, cosine, r2, cka, fit, images, positions } = await sums.result({ ridge });
  const plain = (value) =>
    ArrayBuffer.isView(value)
      ? Array.from(value)
      : value && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
        : value;
  return plain({
    first: {
      pearson: (await similarity.correlate(a, b)).matrix,
      cosine: (await similarity.correlate(a, b, { metric: 'cosine' })).matrix,
    },
    pearson,
    cosine,
    r2,
    cka,
    fit,
    images,
    positions,
  });
}

test('made numbers agree with NumPy, in a worker, in place and in Node', async () => {
  const golden = JSON.parse(await readFile(path.join(repository, 'tests/golden/similarity/made.json'), 'utf8'));
  const request = { pairs: Array.from({ length: 4 }, (_, i) => madePair(i)), held: golden.held, ridge: golden.ridge };
  const { openSimilarity } = await import(pathToFileURL(path.join(repository, 'dist/site/lib/node.js')).href);
  const inNode = await openSimilarity();
  const answers = [await measureMade(inNode, request)];
  inNode.close();
  for (const worker of [true, false]) {
    const body = `async ({ openSimilarity }, _, { worker, request }) => {
      const similarity = await openSimilarity({ worker });
      const answer = await (${measureMade})(similarity, request);
      similarity.close();
      return answer;
    }`;
    answers.push(await inPage(body, { worker, request }));
  }
  for (const { first, pearson, cosine, r2, cka, fit, images, positions } of answers) {
    for (const metric of ['pearson', 'cosine'])
      close(
        first[metric].filter((_, i) => i % golden.step === 0),
        golden.first[metric],
        1e-5,
        metric,
      );
    for (const [name, found] of Object.entries({ pearson, cosine })) {
      close(found.best, golden[name].score, 1e-5, name);
      assert.deepEqual(found.match, golden[name].channel);
    }
    close([cka, r2.mean, r2.median], [golden.cka, golden.mean, golden.median], 1e-5, 'over all');
    close(r2.perChannel, golden.r2, 1e-5, 'R2');
    close(
      fit.weight.filter((_, i) => i % golden.step === 0),
      golden.weight,
      1e-5,
      'weight',
    );
    close(fit.bias, golden.bias, 1e-4, 'bias');
    assert.deepEqual([images, positions, r2.fittedPositions, r2.scoredPositions], [4, 140, 70, 70]);
  }
});

test('the matches of real maps are those of a plain loop', async () => {
  const { worst, matched, dead } = await inPage(async ({ load, openSimilarity }) => {
    const net = await load({ backend: 'wasm' });
    const { maps, stage } = await net.features('/samples/cat.jpg', { stage: 3 });
    const [a, b] = [maps[stage.first], maps[stage.last]];
    const similarity = await openSimilarity();
    const { matrix, dims, bestOfB, deadA, deadB } = await similarity.correlate(a, b);
    const size = a.dims[1] * a.dims[2];
    const row = ({ data }, c) => {
      const values = Array.from(data.subarray(c * size, (c + 1) * size));
      const mean = values.reduce((x, y) => x + y) / size;
      const length = Math.hypot(...values.map((value) => value - mean));
      return values.map((value) => (length > 1e-6 * Math.abs(mean) ? (value - mean) / length : 0));
    };
    const [rowsA, rowsB] = [a, b].map((maps) => Array.from({ length: maps.dims[0] }, (_, c) => row(maps, c)));
    let worst = 0;
    let matched = true;
    rowsB.forEach((y, j) => {
      let most = 0;
      rowsA.forEach((x, i) => {
        const r = x.reduce((sum, value, p) => sum + value * y[p], 0);
        worst = Math.max(worst, Math.abs(r - matrix[i * dims[1] + j]));
        most = Math.max(most, Math.abs(r));
      });
      const [match, score] = [bestOfB.match[j], bestOfB.score[j]];
      if (deadB.includes(j)) matched &&= match === -1 && score === 0;
      else matched &&= Math.abs(Math.abs(score) - most) < 1e-5 && matrix[match * dims[1] + j] === score;
    });
    similarity.close();
    net.dispose();
    return { worst, matched, dead: [deadA.length, deadB.length] };
  });
  assert.ok(worst <= 1e-5, `${worst}`);
  assert.ok(matched);
  assert.ok(
    dead.every((count) => count < 240),
    `${dead}`,
  );
});

test('an order has each map once; a control is lower and the same again; shuffling keeps the sum', async () => {
  const { orders, control, shuffled } = await inPage(async ({ load, openSimilarity }) => {
    const net = await load({ backend: 'wasm' });
    const { maps, stage } = await net.features('/samples/cat.jpg', { stage: 3 });
    const [a, b] = [maps[stage.first], maps[stage.last]];
    const similarity = await openSimilarity();
    const { matrix, dims, bestOfB } = await similarity.correlate(a, b);
    const { rows, columns } = await similarity.order(matrix, dims);
    const isOrder = (order) =>
      Array.from(order)
        .toSorted((a, b) => a - b)
        .every((value, i) => value === i);
    const chance = await similarity.control(a, b, { seed: 5 });
    const again = await similarity.control(a, b, { seed: 5 });
    const median = (values) => Array.from(values, Math.abs).toSorted((a, b) => a - b)[values.length >> 1];
    const shuffled = await similarity.shuffle(b, { seed: 5 });
    const sum = (values) => values.reduce((a, b) => a + b);
    similarity.close();
    net.dispose();
    return {
      orders: [isOrder(rows), isOrder(columns)],
      control: {
        own: median(bestOfB.score),
        chance: median(chance.bestOfB.score),
        isSame: chance.matrix.every((value, i) => value === again.matrix[i]),
      },
      shuffled: {
        before: sum(b.data),
        after: sum(shuffled.data),
        moved: shuffled.data.some((v, i) => v !== b.data[i]),
      },
    };
  });
  assert.deepEqual(orders, [true, true]);
  assert.ok(control.own > control.chance && control.isSame, JSON.stringify(control));
  assert.ok(Math.abs(shuffled.before - shuffled.after) < 1e-3 * Math.abs(shuffled.before));
  assert.ok(shuffled.moved);
});

test('a comparison that cannot be made is refused with its code, also while others wait and after the end', async () => {
  const codes = await inPage(async ({ load, openSimilarity }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const { maps, stage } = await net.features('/samples/cat.jpg', { stage: 3 });
    const [a, b] = [maps[stage.first], maps[stage.last]];
    const larger = (await net.features('/samples/cat.jpg', { stage: 2 })).maps['layer2.end'];
    const similarity = await openSimilarity();
    const waiting = similarity.correlate(a, b);
    const aborted = new AbortController();
    const abortedCall = similarity.correlate(a, b, { signal: aborted.signal });
    aborted.abort();
    const codes = {
      aborted: await codeOf(abortedCall),
      onePosition: await codeOf(similarity.correlate(a, { data: b.data, dims: [b.dims[0], 1, 1] })),
      noMaps: await codeOf(similarity.correlate(a, maps[stage.ghost].data)),
      otherSize: await codeOf(similarity.correlate(a, larger)),
      unknownMetric: await codeOf(similarity.correlate(a, b, { metric: 'charm' })),
      nothingAdded: await codeOf(similarity.accumulate().result()),
    };
    await waiting;
    const last = similarity.correlate(a, b);
    similarity.close();
    codes.atTheEnd = await codeOf(last);
    codes.afterTheEnd = await codeOf(similarity.correlate(a, b));
    net.dispose();
    return codes;
  });
  assert.deepEqual(codes, {
    aborted: 'aborted',
    onePosition: 'wrong-shape',
    noMaps: 'wrong-shape',
    otherSize: 'wrong-shape',
    unknownMetric: 'bad-option',
    nothingAdded: 'wrong-shape',
    atTheEnd: 'disposed',
    afterTheEnd: 'disposed',
  });
});

/** In the page: a net, the samples, and what of a redundancy is compared here. */
const redundancies = `
  const net = await library.load({ backend: 'wasm', worker: false });
  const samples = await (await fetch('/samples/samples.json')).json();
  const pictures = samples.map(({ file }) => '/samples/' + file);
  const brief = ({ perChannel, matches, fit, dead, control, ...rest }) => ({
    ...rest,
    channels: perChannel?.length,
    dead: dead.length,
    control: control && { kind: control.kind, score: control.score },
  });
`;
/** Runs a body that has `net`, `pictures`, `brief`, `library` and `codeOf`. */
const withNet = (body) => inPage(`async (library, codeOf) => { ${redundancies} ${body} }`);

test('the redundancy of one picture is what comparing its maps says, and nothing is fetched before it is used', async () => {
  const { one, direct, requested } = await withNet(`
    const requested = () => performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname);
    const before = requested();
    const one = await net.redundancy(pictures[0], { stage: 2 });
    const { maps, stage } = await net.features(pictures[0], { stage: 2 });
    const similarity = await library.openSimilarity({ worker: false });
    const { score, match } = (await similarity.correlate(maps[stage.first], maps[stage.last])).bestOfB;
    similarity.close();
    net.dispose();
    return {
      one: { ...brief(one), perChannel: Array.from(one.perChannel), matches: Array.from(one.matches) },
      direct: { score: Array.from(score), match: Array.from(match) },
      requested: [before, requested()],
    };`);
  close(one.perChannel, direct.score, 1e-5, 'one picture');
  assert.deepEqual(one.matches, direct.match);
  assert.deepEqual([one.stage, one.taps], ['layer2', ['layer2.base', 'layer2.end']]);
  assert.deepEqual([one.control.kind, one.sufficient, one.samples.images], ['shuffled-positions', true, 1]);
  assert.equal(one.quantiles.length, 5);
  assert.ok(one.quantiles.every((value, i) => i === 0 || value >= one.quantiles[i - 1]));
  assert.equal(one.quantiles[2], one.score);
  const late = (name) => /\/(study|measures|similarity|edit)[\w-]*\.js$|\/wasm\/(similarity|edit)\//.test(name);
  assert.deepEqual(requested[0].filter(late), [], 'nothing of it is fetched before it is used');
  assert.ok(requested[1].some((name) => name === '/wasm/similarity/g_ghostnet_bg.wasm'));
});

test('over many pictures every measure is above its control, and every fourth picture is held out', async () => {
  const { many, progress } = await withNet(`
    const [many, progress] = [{}, []];
    for (const metric of ['pearson', 'cosine', 'r2', 'cka']) {
      const onProgress = ({ done, total }) => metric === 'r2' && progress.push(done + '/' + total);
      many[metric] = brief(await net.redundancy(pictures, { stage: 'layer2', metric, onProgress }));
    }
    net.dispose();
    return { many, progress };`);
  for (const [metric, { score, control, samples, sufficient, channels }] of Object.entries(many)) {
    assert.equal(control.kind, 'other-image', metric);
    assert.ok(score > control.score + 0.05, `${metric}: ${score}, by chance ${control.score}`);
    assert.equal(samples.images, 8);
    assert.equal(sufficient, true, metric);
    assert.equal(channels, metric === 'cka' ? undefined : 96);
  }
  const { positions, fittedPositions, scoredPositions } = many.r2.samples;
  assert.deepEqual([positions, fittedPositions], [4 * scoredPositions, 3 * scoredPositions]);
  assert.deepEqual(
    progress,
    Array.from({ length: 8 }, (_, i) => `${i + 1}/8`),
  );
});

test('of fewer than four pictures the lowest quarter is held out, and a picture stays one', async () => {
  const { samples, reason } = await withNet(`
    const found = brief(await net.redundancy(pictures[0], { stage: 2, metric: 'r2' }));
    net.dispose();
    return found;`);
  assert.deepEqual(samples, {
    images: 1,
    positions: 576,
    channels: [96, 96],
    fittedPositions: 432,
    scoredPositions: 144,
  });
  assert.match(reason, /rests on 432 positions/);
});

test('every control can be asked for, or none', async () => {
  const controls = await withNet(`
    const found = {};
    for (const control of ['shuffled-positions', 'random-weights', false]) {
      found[control] = brief(await net.redundancy(pictures.slice(0, 2), { stage: 3, control, metric: 'cka' }));
    }
    found.other = brief(await net.redundancy(pictures[0], { stage: 3, other: pictures[1] }));
    net.dispose();
    return found;`);
  for (const kind of ['shuffled-positions', 'random-weights']) {
    assert.equal(controls[kind].control.kind, kind);
    assert.ok(controls[kind].control.score < controls[kind].score, kind);
  }
  assert.equal(controls.false.control, undefined);
  assert.equal(controls.other.control.kind, 'other-image');
});

test('what a block added, and a block with itself, are told for what they are', async () => {
  const { added, alone } = await withNet(`
    const added = brief(await net.redundancy(pictures.slice(0, 3), { stage: 3, metric: 'r2', added: true }));
    const alone = brief(await net.redundancy(pictures[0], { stage: 1 }));
    net.dispose();
    return { added, alone };`);
  assert.deepEqual([added.taps, added.sufficient], [['layer3.base', 'layer3.end.conv3'], false]);
  assert.match(added.reason, /^The fit of 240 channels rests on /);
  assert.deepEqual([alone.sufficient, alone.score > 0.999], [false, true]);
});

test('what cannot be measured is refused with a code', async () => {
  const codes = await withNet(`
    const stopped = new AbortController();
    const ask = (options, input = pictures[0]) => codeOf(net.redundancy(input, options));
    const codes = {
      stopped: await ask({ stage: 2, signal: stopped.signal, onProgress: () => stopped.abort() }, pictures),
      'no such stage': await ask({ stage: 9 }),
      'no such metric': await ask({ stage: 2, metric: 'charm' }),
      'no other picture': await ask({ stage: 2, control: 'other-image' }),
      'one tap': await ask({ taps: ['layer2.base'] }),
      'other sizes': await ask({ taps: ['layer2.base', 'layer3.base'] }),
      'no such tap': await ask({ taps: ['layer2.base', 'layer2.wing'] }),
      'no picture': await ask({ stage: 2 }, []),
    };
    net.dispose();
    return { ...codes, disposed: await ask({ stage: 2 }) };`);
  assert.deepEqual(codes, {
    stopped: 'aborted',
    'no such stage': 'bad-option',
    'no such metric': 'bad-option',
    'no other picture': 'bad-option',
    'one tap': 'bad-option',
    'other sizes': 'wrong-shape',
    'no such tap': 'unknown-tap',
    'no picture': 'bad-image',
    disposed: 'disposed',
  });
});

test('maps of a frame are as good as the page’s own', async () => {
  const { own, framed } = await inPage(async ({ openSimilarity }) => {
    const frame = document.body.appendChild(document.createElement('iframe')).contentWindow;
    const similarity = await openSimilarity();
    const maps = ({ Float32Array }, seed) => ({
      data: Float32Array.from({ length: 60 }, (_, i) => Math.sin(seed * (i + 1))),
      dims: [3, 4, 5],
    });
    const compare = (realm) => similarity.correlate(maps(realm, 1), maps(realm, 2));
    const [own, framed] = [await compare(globalThis), await compare(frame)];
    similarity.close();
    return { own, framed };
  });
  assert.deepEqual(framed, own);
});

test('held maps can be used in every call until they are released', async () => {
  for (const worker of [true, false]) {
    const { same, codes, length } = await inPage(async ({ openSimilarity }, codeOf, worker) => {
      const [similarity, other] = [await openSimilarity({ worker }), await openSimilarity({ worker })];
      const maps = (seed) => ({
        data: Float32Array.from({ length: 60 }, (_, i) => Math.sin(seed * (i + 1))),
        dims: [3, 4, 5],
      });
      const [a, b] = [maps(1), maps(2)];
      const [heldA, heldB] = [similarity.hold(a), similarity.hold(maps(2), { transfer: true })];
      const plain = await similarity.correlate(a, b);
      const held = await similarity.correlate(heldA, heldB);
      const sums = similarity.accumulate();
      await sums.add(heldA, heldB, { heldOut: 0.25 });
      const { positions, r2 } = await sums.result({ ridge: 1 });
      heldA.release();
      const codes = [await codeOf(similarity.correlate(heldA, heldB)), await codeOf(other.correlate(heldB, heldB))];
      similarity.close();
      other.close();
      return {
        same: plain.matrix.every((value, i) => value === held.matrix[i]) && [positions, r2.scoredPositions].join(),
        codes,
        length: a.data.length,
      };
    }, worker);
    assert.equal(same, '20,5');
    assert.deepEqual(codes, ['bad-option', 'bad-option']);
    assert.equal(length, 60, 'what is not moved stays');
  }
});

for (const [variant, stage, block, sum, added] of [
  ['resnet18', 3, 'layer3.0', 'layer3.1', 'layer3.1.conv2'],
  ['ghostnet_100', 7, 'blocks.6.3', 'blocks.6.4', 'blocks.6.4.ghost2'],
]) {
  test(`${variant}: what the last block adds is known, and is what was added`, async () => {
    const keys = JSON.parse(await readFile(path.join(repository, `tests/golden/keys/${variant}.json`), 'utf8'));
    const body = checkpoint(keys);
    await page.route('**/made.pth', (route) => route.fulfill({ body, contentType: 'application/octet-stream' }));
    const { taps, known, worst, largest } = await inPage(
      async ({ load }, _, [stage, block, sum, added, relu]) => {
        const net = await load({ model: '/blank/made.pth', backend: 'wasm' });
        const { maps } = await net.features('/samples/cat.jpg', { taps: [block, added, sum] });
        const { taps } = await net.redundancy('/samples/cat.jpg', { stage, added: true, control: false });
        const known = net.info.stages[stage - 1].taps;
        net.dispose();
        let [worst, largest] = [0, 0];
        maps[sum].data.forEach((value, i) => {
          const expected = maps[block].data[i] + maps[added].data[i];
          worst = Math.max(worst, Math.abs(value - (relu ? Math.max(0, expected) : expected)));
          largest = Math.max(largest, Math.abs(value));
        });
        return { taps, known, worst, largest };
      },
      [stage, block, sum, added, variant.startsWith('resnet')],
    );
    assert.equal(taps[1], added);
    for (const tap of [block, sum, added]) assert.ok(known.includes(tap), tap);
    assert.ok(largest > 0 && worst <= 1e-6 * largest, `off by ${worst} of ${largest}`);
  });
}

test('weights are those that the network computes with; a name that no convolution has is refused', async () => {
  const { worst, dims, codes } = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const {
      blocks,
      ghostPath: {
        step,
        reads: [from],
        cheap,
      },
    } = net.info.stages[2];
    const { weight, bias, dims } = await net.weights(step);
    const { maps } = await net.features('/samples/cat.jpg', { taps: [blocks[0], cheap] });
    const [outputs, inputs] = dims;
    const size = maps[cheap].dims[1] * maps[cheap].dims[2];
    let [worst, largest] = [0, 0];
    for (let o = 0; o < outputs; o++) {
      for (let p = 0; p < size; p += 5) {
        let sum = bias[o];
        for (let i = 0; i < inputs; i++) sum += weight[o * inputs + i] * maps[blocks[0]].data[(from + i) * size + p];
        worst = Math.max(worst, Math.abs(sum - maps[cheap].data[o * size + p]));
        largest = Math.max(largest, Math.abs(sum));
      }
    }
    const codes = [
      await codeOf(net.weights('layer3.wing')),
      await codeOf(net.weights(step, { signal: AbortSignal.abort() })),
    ];
    net.dispose();
    return { worst: worst / largest, dims, codes: [...codes, await codeOf(net.weights(step))] };
  });
  assert.ok(worst < 1e-5, `${worst}`);
  assert.deepEqual(dims, [132, 132, 1, 1]);
  assert.deepEqual(codes, ['unsupported', 'aborted', 'disposed']);
});

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The `channel`-th of `count` maps. */
const mapOf = (values, channel, count) =>
  values.slice((channel * values.length) / count, ((channel + 1) * values.length) / count);

/** Of all networks without a part: they are run once, for the tests that follow. */
let results;
const withoutParts = () =>
  (results ??= withWebgpu(() => inPage(async ({ load }) => (await import('/blank/edits.js')).resultsOf(load))));

test('networks without a part run on both engines alike, and answer otherwise', chromiumOnly, async () => {
  const { wasm, webgpu, infos, isFitWhole } = await withoutParts();
  assert.ok(isFitWhole);
  const names = Object.keys(wasm);
  assert.equal(names.length, 6);
  for (const name of names) {
    for (const [tap, values] of Object.entries(wasm[name]))
      close(webgpu[name][tap], values, 2e-4 * largest(values), `${name} ${tap}`);
    const change = largest(wasm[name].logits.map((value, i) => value - wasm.asIs.logits[i]));
    assert.ok(name === 'asIs' || change > 1e-3, `${name} changes the answer`);
  }
  const engines = ['wasm', 'webgpu'].flatMap((backend) => names.map(() => backend));
  assert.deepEqual(
    infos,
    engines.map((backend) => `ablated ${backend} 10`),
  );
});

test(
  'ghost maps, aggregation and channels that are off are 0; what comes before them is as it was',
  chromiumOnly,
  async () => {
    const { wasm, webgpu } = await withoutParts();
    for (const engine of [wasm, webgpu]) {
      assert.equal(largest(engine.ghostOff['layer3.ghost']), 0);
      assert.equal(largest(engine.mergeOff['layer3.merge']), 0);
      assert.ok(largest(engine.mergeOff['layer3.ghost']) > 0);
      assert.deepEqual(engine.ghostOff['layer3.base'], engine.asIs['layer3.base']);
      assert.equal(largest(mapOf(engine.channelOff['layer3.base'], 1, 240)), 0);
      assert.ok(largest(mapOf(engine.asIs['layer3.base'], 1, 240)) > 0);
      assert.equal(largest(mapOf(engine.channelOff['layer4.end'], 7, 528)), 0);
    }
  },
);

test('a fit takes the place of the ghost maps', chromiumOnly, async () => {
  const { wasm, webgpu } = await withoutParts();
  for (const engine of [wasm, webgpu]) {
    // ReLU(0.5 x - 0.1) of the part of block 1 that the cheap operation reads: its last maps.
    const [base, ghost] = [engine.fitPart['layer3.base'], engine.fitPart['layer3.ghost']];
    const expected = base.slice(-ghost.length).map((value) => Math.max(0, 0.5 * value - 0.1));
    close(ghost, expected, 1e-5 * largest(base), 'the fit');
  }
});

test('a network without a part can lose another one', chromiumOnly, async () => {
  const { twice } = await withoutParts();
  assert.equal(largest(twice['layer3.merge']), 0);
  assert.equal(largest(twice['layer3.ghost']), 0);
});

test('plain and random twins run on both engines alike, with the costs of their form', chromiumOnly, async () => {
  await withWebgpu(async () => {
    const { original, twins } = await inPage(async ({ load }) => {
      const costsOf = ({ params, macs, activations }) => ({ params, macs, activations });
      const whole = await load({ backend: 'wasm' });
      const twins = {};
      for (const backend of ['wasm', 'webgpu']) {
        const net = await whole.ablated({}, { backend });
        for (const [name, make] of [
          ['plain', () => net.plainTwin()],
          ['random', () => net.randomTwin({ seed: 3 })],
        ]) {
          const twin = await make();
          const { maps } = await twin.features('/samples/cat.jpg', { taps: ['logits'] });
          const { edit, variant } = twin.info;
          twins[`${backend} ${name}`] = {
            is: `${edit} ${variant}`,
            costs: costsOf(twin.info),
            logits: Array.from(maps.logits.data),
          };
          twin.dispose();
        }
        net.dispose();
      }
      const original = costsOf(whole.info);
      whole.dispose();
      return { original, twins };
    });
    for (const name of ['plain', 'random']) {
      const [wasm, webgpu] = [twins[`wasm ${name}`], twins[`webgpu ${name}`]];
      close(webgpu.logits, wasm.logits, 2e-4 * largest(wasm.logits), name);
      assert.ok(largest(wasm.logits) > 0);
      assert.equal(wasm.is, { plain: 'plain regnetx_006', random: 'random g_ghost_regnetx_006' }[name]);
      assert.deepEqual([webgpu.is, webgpu.costs], [wasm.is, wasm.costs]);
    }
    for (const cost of ['params', 'macs', 'activations'])
      assert.ok(twins['wasm plain'].costs[cost] > original[cost], cost);
    assert.deepEqual(twins['wasm random'].costs, original);
  });
});

test('an edit that cannot be made is refused with its code', async () => {
  const codes = await inPage(async ({ load }, codeOf) => {
    const net = await load({ backend: 'wasm' });
    const refused = {
      plainStage: { stage: 1, ghost: 'off' },
      noStage: { stage: 7, ghost: 'off' },
      unknownWord: { stage: 3, ghost: 'on' },
      weightsTooShort: { stage: 3, ghost: { weight: new Float32Array(3), bias: new Float32Array(132) } },
      noChannel: { channels: [{ tap: 'layer3.base', channel: 240 }] },
      noMaps: { channels: [{ tap: 'avgpool', channel: 0 }] },
    };
    const codes = {};
    for (const [name, edit] of Object.entries(refused)) codes[name] = await codeOf(net.ablated(edit));
    codes.aborted = await codeOf(net.ablated({ stage: 3, ghost: 'off' }, { signal: AbortSignal.abort() }));
    net.dispose();
    return codes;
  });
  assert.deepEqual(codes, {
    plainStage: 'unsupported',
    noStage: 'bad-option',
    unknownWord: 'bad-option',
    weightsTooShort: 'wrong-shape',
    noChannel: 'wrong-shape',
    noMaps: 'unsupported',
    aborted: 'aborted',
  });
});
