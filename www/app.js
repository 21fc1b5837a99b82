/**
 * @file The page: one state, one render. Every view is a function of the state that redraws what has changed.
 * What is here answers first; the explorer comes after the first answer.
 */
import { load } from './lib/index.js';
import { defaults, readAddress } from './view/address.js';
import { answerView } from './view/answer.js';
import { engineView } from './view/engine.js';
import { comparedTaps, inputOf } from './view/input.js';
import { speak, text } from './view/language.js';
import { listenForPictures, pictureView } from './view/picture.js';

const state = {
  ...defaults,
  ...readAddress(location.hash),
  /** What `load` is doing, then what it made, and in how many milliseconds. */
  progress: undefined,
  info: undefined,
  loadError: undefined,
  times: {},
  /** A model of the visitor's own. @type {File | undefined} */
  file: undefined,
  /** The samples, and the picture that is shown: `{ url, name, blob?, sample?, live? }`. */
  samples: [],
  picture: undefined,
  result: undefined,
  busy: true,
  error: undefined,
  dragging: false,
  stages: [],
  /** The opened stage's compared maps: `{ stage, taps: [a, b], first, last }`. */
  maps: undefined,
  /** The map under the pointer: `{ side, channel, other? }`. */
  pointed: undefined,
  width: innerWidth,
};

const actions = {
  choose: async (choice) => ((await isModel(choice)) ? open({ file: choice.blob }) : look(choice)),
  drag: (dragging) => update({ dragging }),
  complain: (error) => update({ error }),
  selectStage: (stage) => look(asked ?? state.picture, { stage, compare: '', pin: '' }),
  compare: (compare) => look(asked ?? state.picture, { compare, pin: '' }),
  useBackend: (backend) => open({ backend }),
  useModel: (model) => open({ model, file: undefined }),
  update,
};

const views = [engineView(), pictureView(actions), answerView()];

function update(change) {
  Object.assign(state, change);
  for (const view of views) view(state);
}

let net;
/** Aborts what an earlier choice still has to do: the last choice wins. */
let current;
/** The picture that was chosen last, until it is shown or refused. */
let asked;

/** Classifies a picture and opens a stage on it. */
async function look(choice, change = {}) {
  if (!net || !choice) return;
  current?.abort();
  const { signal } = (current = new AbortController());
  const used = net;
  asked = choice;
  update({ ...change, busy: true, error: undefined });
  try {
    const taps = comparedTaps(state);
    // A frame of the camera whose maps are drawn on the graphics card is not read back.
    const { maps, ...result } = choice.unread ? await net.classify(inputOf(choice), { signal }) : await net.features(inputOf(choice), { taps: [...new Set(taps)], signal });
    if (signal.aborted) return;
    asked = undefined;
    const picture = choice.url || choice.live ? choice : shown(choice);
    if (picture !== state.picture && state.picture?.blob) URL.revokeObjectURL(state.picture.url);
    const pointed = picture === state.picture || picture.live ? state.pointed : undefined;
    const times = { ...state.times, first: state.times.first ?? result.milliseconds, warm: result.milliseconds };
    update({ picture, result, times, ...(maps && { maps: { stage: state.stage, taps, first: maps[taps[0]], last: maps[taps[1]] } }), pointed, busy: false });
  } catch (error) {
    if (signal.aborted || used !== net) return;
    asked = undefined;
    update({ busy: false, error: choice.name ? `${choice.name}: ${error.message}` : error.message });
  }
}

const MODEL_NAMES = /\.(safetensors|pth|pt|ckpt|tar|bin|pyth|pkl|onnx|h5|keras|tflite)$/i;

/**
 * Whether a chosen file is a model, by its first bytes: an archive of PyTorch's, a pickle, or a safetensors header.
 * What only has a model's name is one too, so that `load` says what it is instead.
 */
async function isModel({ blob, name }) {
  const bytes = blob && new Uint8Array(await blob.slice(0, 9).arrayBuffer().catch(() => new ArrayBuffer(0)));
  if (!bytes) return false;
  const short = bytes.subarray(3, 8).every((byte) => byte === 0);
  const zip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  return zip || (bytes[0] === 0x80 && !short) || (short && bytes[8] === 0x7b) || MODEL_NAMES.test(name ?? '');
}

/** Another model or engine takes over, once it is loaded. */
async function open(change) {
  const { model, backend, file } = { ...state, ...change };
  update({ busy: true, error: undefined });
  try {
    const next = await timed({ model: file ?? addressOf(model), backend });
    const same = !state.info || next.info.variant === state.info.variant;
    net?.dispose();
    net = next;
    const stage = known(next.info, state.stage);
    update({ ...change, info: net.info, stages: net.info.stages, stage, loadError: undefined, pointed: undefined, ...(same ? {} : { maps: undefined, compare: '', pin: '' }) });
    await look(state.picture);
  } catch (error) {
    if (!net) throw error;
    update({ busy: false, error: file ? `${file.name}: ${error.message}` : error.message });
  }
}

const known = ({ stages }, stage) => (stages.find(({ name }) => name === stage) ?? stages.at(-2) ?? stages[0]).name;
const addressOf = (model) => (model ? new URL(`models/${model}`, document.baseURI).href : undefined);

/** Loads, and notes how long each part took. */
async function timed(options) {
  const begin = performance.now();
  const times = { phases: {} };
  const onProgress = (progress) => {
    times.phases[progress.phase] ??= performance.now() - begin;
    update({ progress });
  };
  const loaded = await load({ ...options, onProgress });
  update({ times: { ...times, load: performance.now() - begin } });
  return loaded;
}

const shown = (choice) => ({ ...choice, url: choice.blob ? URL.createObjectURL(choice.blob) : `samples/${choice.sample.file}`, name: choice.name ?? choice.sample.title });

async function start() {
  listenForPictures(actions);
  let waiting;
  addEventListener('resize', () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => update({ width: innerWidth }));
  });
  state.language ||= /^zh/.test(navigator.language) ? 'zh' : 'en';
  const [samples] = await Promise.all([fetch('samples/samples.json').then((response) => response.json()), speak(state.language)]);
  const sample = samples.find(({ file }) => file === state.sample) ?? samples[0];
  update({ samples, picture: shown({ sample }) });
  try {
    await open({});
  } catch (error) {
    update({ loadError: error, busy: false, error: text('notLoaded', { reason: error.message }) });
    return;
  }
  const [{ explore }] = await Promise.all([import('./explorer/explorer.js'), speak(state.language, true)]);
  views.push(explore({ state, actions, update, look, net: () => net }));
  update({});
}

start().catch((error) => update({ busy: false, error: text('notStarted', { reason: error.message }) }));
