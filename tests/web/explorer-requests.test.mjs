// What the explorer asks of the network: the planner, the table of views and the session, with a net that counts.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

Object.assign(globalThis, { innerWidth: 1440, innerHeight: 900 });

const { mapsOf, Planner, similarity } = await import('../../www/explorer/requests.js');
const { Session } = await import('../../www/explorer/session.js');
const { newState } = await import('../../www/explorer/state.js');
const { views } = await import('../../www/explorer/views.js');

const stage = (name, ghosts) => ({
  name,
  kind: ghosts ? 'ghost' : 'plain',
  blocks: [`${name}.base`, `${name}.end`],
  added: [`${name}.base.conv3`, `${name}.end.conv3`],
  taps: [],
  ...(ghosts && {
    ghostPath: {
      step: `${name}.cheap.0`,
      reads: [2, 2],
      cheap: `${name}.cheap`,
      merge: `${name}.merge`,
      ghost: `${name}.ghost`,
      intrinsic: `${name}.layers.0`,
    },
  }),
});
const stages = [stage('layer1', false), stage('layer2', true)];
const info = {
  variant: 'made-up',
  input: { side: 192 },
  labels: [],
  stages,
  taps: stages.flatMap(({ blocks, added }) => [...blocks, ...added]),
};

/** A net whose runs are counted, each open until it is let go. */
function countingNet() {
  const runs = [];
  const run = (input, { taps = [], signal }) =>
    new Promise((resolve, reject) => {
      const maps = Object.fromEntries(taps.map((tap) => [tap, { data: new Float32Array(8), dims: [2, 2, 2] }]));
      const aborted = () => reject(Object.assign(new Error('aborted'), { code: 'aborted' }));
      signal?.addEventListener('abort', aborted);
      const answer = () => resolve({ ...(taps.length && { maps }), top: [], milliseconds: 1 });
      runs.push({ input, taps: [...taps].sort(), signal, answer, fail: reject });
    });
  return { info, runs, features: run, classify: (input, options) => run(input, { ...options, taps: [] }) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const answerAll = async ({ runs }) => {
  await settled();
  for (const { answer } of runs) answer();
  await settled();
};

let net;
let planner;
let changes;
let failures;
beforeEach(() => {
  [net, changes, failures] = [countingNet(), 0, []];
  planner = new Planner({ changed: () => (changes += 1), failed: (error) => failures.push(error.message) });
  planner.answerers = { similarity: async ({ metric }, [x, y]) => ({ metric, maps: [x, y] }) };
  planner.use(net);
});

const cat = { input: 'cat' };
const [base, end] = ['layer2.base', 'layer2.end'];
const pair = (picture, metric) => similarity(mapsOf(picture, [base]), mapsOf(picture, [end]), metric);

test('the taps that are wanted of a picture are one run, and what is welcome goes along', async () => {
  const requests = { both: pair(cat), ghosts: mapsOf(cat, ['layer2.ghost']) };
  planner.want(requests, [mapsOf(cat, ['layer2.merge']), mapsOf({ input: 'dog' }, [base])]);
  assert.deepEqual(
    net.runs.map(({ taps }) => taps),
    [[base, end, 'layer2.ghost', 'layer2.merge'].sort()],
  );
  await answerAll(net);
  const { both, ghosts } = planner.want(requests);
  assert.deepEqual([Object.keys(both.maps[0]), Object.keys(ghosts)], [[base], ['layer2.ghost']]);
  assert.ok(changes > 0);
  planner.want({ merge: mapsOf(cat, ['layer2.merge']) });
  assert.equal(net.runs.length, 1, 'what went along is remembered');
});

test('another measure of the same maps runs nothing; its answer is remembered too', async () => {
  planner.want({ found: pair(cat, 'pearson') });
  await answerAll(net);
  planner.want({ found: pair(cat, 'cosine') });
  await settled();
  const { found } = planner.want({ found: pair(cat, 'cosine') });
  assert.equal(found.metric, 'cosine');
  assert.equal(planner.want({ found: pair(cat, 'pearson') }).found.metric, 'pearson', 'it is there at once');
  assert.equal(net.runs.length, 1);
});

test('what nobody wants any more is called off; what somebody still wants is not', async () => {
  const dog = { input: 'dog' };
  planner.want({ one: pair(cat), other: mapsOf(dog, [base]) });
  planner.want({ other: mapsOf(dog, [base]) });
  await settled();
  assert.deepEqual(
    net.runs.map(({ input, signal }) => [input, signal.aborted]),
    [
      ['cat', true],
      ['dog', false],
    ],
  );
});

test('a sample is one picture however often it is chosen; a frame that is forgotten is gone', async () => {
  const sample = { input: 'sample' };
  const first = planner.see({ sample }, [base]);
  await answerAll(net);
  await first;
  await planner.see({ sample, url: 'elsewhere' }, [base]);
  assert.equal(net.runs.length, 1);
  planner.forget({ sample });
  planner.see({ sample }, [base]).catch(() => {});
  assert.equal(net.runs.length, 2);
});

test('a failure is told once for what is wanted, and asked again when it is wanted anew', async () => {
  planner.want({ found: pair(cat) });
  net.runs[0].fail(new Error('no such picture'));
  await settled();
  assert.deepEqual(failures, ['no such picture']);
  planner.want({ found: pair(cat) });
  assert.equal(net.runs.length, 1, 'not at every drawing');
  planner.want({});
  planner.want({ found: pair(cat) });
  assert.equal(net.runs.length, 2);
});

test('another net is asked everything anew, and the old one nothing more', async () => {
  planner.want({ found: pair(cat) });
  const other = countingNet();
  planner.use(other);
  await settled();
  assert.ok(net.runs[0].signal.aborted);
  planner.want({ found: pair(cat) });
  assert.equal(other.runs.length, 1);
  assert.deepEqual(failures, []);
});

test('memory is bounded: the maps used longest ago are asked again', async () => {
  // 96 MB are remembered: two of 40 MB.
  const maps = { [base]: { data: new Float32Array(10e6), dims: [1, 1, 10e6] } };
  net.features = async (input) => {
    net.runs.push(input);
    return { maps, top: [] };
  };
  const pictures = ['a', 'b', 'c'].map((input) => ({ input }));
  for (const picture of pictures) await planner.see(picture, [base]);
  await planner.see(pictures[2], [base]);
  await planner.see(pictures[1], [base]);
  assert.equal(net.runs.length, 3);
  await planner.see(pictures[0], [base]);
  assert.equal(net.runs.length, 4);
});

/** A session on a counting net, with the samples of a page. */
function opened(rows = views) {
  const samples = ['one', 'two', 'three'].map((input) => ({ input }));
  const state = { ...newState(), info, stages, samples, stage: 'layer2', side: 192 };
  const drawn = [];
  const session = new Session({
    state,
    rows,
    draw: (now) => drawn.push({ ...now }),
    failed: ({ message }) => failures.push(message),
  });
  session.use(net);
  return { session, state, samples, drawn };
}

const silent = () => {
  const never = () => new Promise(() => {});
  const kinds = ['order', 'weights', 'plain', 'without', 'times'];
  return {
    ...Object.fromEntries(kinds.map((kind) => [kind, never])),
    similarity: async () => ({ matrix: new Float32Array(4), dims: [2, 2], bestOfB: { match: [], score: [] } }),
    measure: async ({ pictures, other, taps }, _, { see }) => {
      await Promise.all([...pictures, ...(other ?? [])].map((picture, i) => see(picture, i < 1 ? taps : [taps[0]])));
      return { own: {} };
    },
  };
};

test('a visit is two runs: the picture, with what every view may ask of it, and its control', async () => {
  const { session, state, samples } = opened();
  session.look({ sample: samples[0] });
  await answerAll(net);
  session.answer(silent());
  for (const tab of ['ghost', 'numbers', 'similarity', 'twins']) {
    await answerAll(net);
    session.update({ tab });
  }
  await answerAll(net);
  session.update({ metric: 'cosine' });
  await answerAll(net);
  assert.deepEqual(
    net.runs.map(({ input }) => input),
    ['one', 'two'],
  );
  assert.equal(state.comparison.metric, 'cosine');
  // The same picture again, and the control as the picture: nothing that is not known.
  session.look({ sample: samples[0], url: 'again' });
  await answerAll(net);
  assert.equal(net.runs.length, 2);
  assert.deepEqual(failures, []);
});

test('the last choice wins, and an error names its picture', async () => {
  const { session, state, samples } = opened();
  session.look({ sample: samples[0] });
  session.look({ sample: samples[1] });
  await answerAll(net);
  assert.equal(state.picture.sample, samples[1]);
  assert.ok(net.runs[0].signal.aborted);
  session.look({ input: 'broken', name: 'broken.jpg' });
  net.runs.at(-1).fail(new Error('damaged'));
  await settled();
  assert.deepEqual(failures, ['damaged']);
  assert.equal(state.picture.sample, samples[1], 'what was shown stays');
  assert.equal(state.busy, false);
});

test('of the camera only what is open is read, and its frames are not kept', async () => {
  const { session, samples } = opened();
  session.answer(silent());
  session.look({ live: 'frame 1' });
  await answerAll(net);
  assert.deepEqual(
    net.runs.map(({ taps }) => taps),
    [[base, end]],
  );
  session.look({ live: 'frame 2', unread: true });
  await answerAll(net);
  assert.deepEqual(net.runs.at(-1).taps, []);
  session.look({ sample: samples[0] });
  await answerAll(net);
  assert.ok(net.runs.some(({ input, taps }) => input === 'one' && taps.length > 2));
});

test('pins are written and let go; a pointed map is told once', () => {
  const { session, state, drawn } = opened();
  session.actions.point({ side: 'last', channel: 3 });
  const before = drawn.length;
  session.actions.point({ side: 'last', channel: 3 });
  assert.equal(drawn.length, before);
  session.actions.pin({ side: 'last', channel: 3, other: 7 });
  assert.equal(state.pin, 'last.3.7');
  session.actions.leave();
  assert.equal(state.pointed, undefined);
  session.actions.pin({ side: 'last', channel: 3, other: 7 });
  assert.equal(state.pin, '');
});
