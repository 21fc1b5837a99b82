/**
 * @file The page: one state, one render. Every view is a function of the state that redraws what has changed.
 */
import { load } from './lib/index.js';
import { answerView } from './view/answer.js';
import { engineView } from './view/engine.js';
import { listenForPictures, pictureView } from './view/picture.js';
import { stageView } from './view/stage.js';
import { stripView } from './view/strip.js';
import { normalise, twins } from './view/twins.js';

const state = {
  /** What `load` is doing, then what it made. */
  progress: undefined,
  info: undefined,
  loadError: undefined,
  /** Whether the model is the one that the samples were chosen for. */
  bundled: true,
  /** The samples, and the picture that is shown: `{ url, name, blob?, sample? }`. */
  samples: [],
  picture: undefined,
  result: undefined,
  busy: true,
  error: undefined,
  dragging: false,
  /** The opened stage, its maps with their twins, and the map under the pointer: `{ side, channel }`. */
  stage: 'layer3',
  stages: [],
  maps: undefined,
  /** The twins that block 1 of another picture would have. */
  byChance: undefined,
  pointed: undefined,
  threshold: 0.7,
  width: innerWidth,
};

const actions = {
  choose: (choice) => (isModel(choice) ? changeModel(choice.blob) : look(choice)),
  drag: (dragging) => update({ dragging }),
  complain: (error) => update({ error }),
  selectStage: (stage) => look(state.picture, stage),
  point: (next) => update({ pointed: typeof next === 'function' ? next(state.pointed) : next }),
  setThreshold: (threshold) => update({ threshold }),
};

const views = [engineView(), pictureView(actions), answerView(), stripView(actions), stageView(actions)];

function update(change) {
  Object.assign(state, change);
  for (const view of views) view(state);
}

let net;
/** Aborts what an earlier choice still has to do: the last choice wins. */
let current;

/** Classifies a picture and opens a stage on it. */
async function look(choice, stage = state.stage) {
  if (!net || !choice) return;
  current?.abort();
  const { signal } = (current = new AbortController());
  update({ stage, busy: true, error: undefined });
  try {
    const input = choice.blob ?? sampleUrl(choice.sample);
    const { first, last } = rolesOf(stage);
    const { maps, ...result } = await net.features(input, { taps: [...new Set([first, last])], signal });
    if (signal.aborted) return;
    const picture = choice.url ? choice : shown(choice);
    if (picture !== state.picture && state.picture?.blob) URL.revokeObjectURL(state.picture.url);
    update({ picture, result, maps: compare(stage, maps[first], maps[last]), byChance: undefined, pointed: undefined, busy: false });
    if (first === last) return;
    const control = await controlFor(choice, first, signal);
    if (control && !signal.aborted) update({ byChance: twins(normalise(maps[last]), normalise(control)) });
  } catch (error) {
    if (signal.aborted) return;
    update({ busy: false, error: choice.name ? `${choice.name}: ${error.message}` : error.message });
  }
}

const isModel = ({ name }) => /\.(safetensors|pth|pt)$/i.test(name ?? '');

/** Another model takes over, once it is loaded. */
async function changeModel(file) {
  update({ busy: true, error: undefined });
  try {
    const next = await load({ model: file });
    const named = await withLabels(next, file);
    net?.dispose();
    net = named;
    update({ info: net.info, stages: net.info.stages, maps: undefined, loadError: undefined, bundled: false });
    await look(state.picture, net.info.stages.some(({ name }) => name === state.stage) ? state.stage : net.info.stages.at(-1).name);
  } catch (error) {
    update({ busy: false, error: `${file.name}: ${error.message}` });
  }
}

/** ImageNet's checkpoints do not say what their 1000 classes are called. */
async function withLabels(net, file) {
  if (net.info.classes !== 1000 || net.info.labels[0] !== 'class 0') return net;
  const labels = await fetch('models/imagenet-1k.json').then((response) => response.json());
  net.dispose();
  return load({ model: file, labels });
}

const sampleUrl = ({ file }) => new URL(`samples/${file}`, document.baseURI).href;

const shown = (choice) => ({ ...choice, url: choice.blob ? URL.createObjectURL(choice.blob) : `samples/${choice.sample.file}`, name: choice.name ?? choice.sample.title });

function rolesOf(stage) {
  const { blocks } = state.info.stages.find(({ name }) => name === stage);
  return { first: blocks[0], last: blocks.at(-1) };
}

/** Block 1's maps of another picture: what they match by chance. */
async function controlFor(choice, tap, signal) {
  const other = state.samples.find(({ file }) => file !== choice.sample?.file);
  if (!other) return undefined;
  const { maps } = await net.features(sampleUrl(other), { taps: [tap], signal });
  return maps[tap];
}

function compare(stage, first, last) {
  const [a, b] = [normalise(first), normalise(last)];
  return {
    stage,
    first,
    last,
    fromLast: twins(b, a),
    fromFirst: twins(a, b),
    dead: b.dead.length,
  };
}

async function start() {
  listenForPictures(actions);
  let waiting;
  addEventListener('resize', () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => update({ width: innerWidth }));
  });
  const samples = await fetch('samples/samples.json').then((response) => response.json());
  const [sample] = samples;
  update({ samples, picture: shown({ sample }) });
  try {
    net = await load({ onProgress: (progress) => update({ progress }) });
  } catch (error) {
    update({ loadError: error, busy: false, error: `The model could not be loaded. ${error.message}` });
    return;
  }
  update({ info: net.info, stages: net.info.stages });
  await look(state.picture);
}

start().catch((error) => update({ busy: false, error: `The page could not start: ${error.message}` }));
