/**
 * @file The page. Every view is a function of the state that redraws what has changed. What is here answers first; the
 * explorer comes after the first answer and takes over: from then on the page is a host of its session.
 */
import { newState } from './explorer/state.js';
import { load } from './lib/index.js';
import { readAddress } from './view/address.js';
import { answerView } from './view/answer.js';
import { Classifier } from './view/classifier.js';
import { engineView } from './view/engine.js';
import { speak, text } from './view/language.js';
import { listenForPictures, pictureView } from './view/picture.js';

/**
 * @typedef {import('./explorer/explorer.js').PageState} PageState
 * @typedef {import('./explorer/state.js').Picture} Picture
 * @typedef {import('./explorer/state.js').Info} Info
 * @typedef {typeof actions} PageActions
 */

/** @type {PageState} */
const state = { ...newState(), ...readAddress(location.hash), busy: true, dragging: false, times: {} };

/** @type {import('./explorer/session.js').Host<PageState>} */
const host = {
  state,
  draw(now) {
    for (const view of views) view(now);
  },
  failed: ({ message }, choice) => update({ error: choice?.name ? `${choice.name}: ${message}` : message }),
  shown: (choice) => (choice.url || choice.live ? choice : shown(choice)),
};
/**
 * Whoever looks at pictures: until the explorer is there, they are classified and no more.
 * @type {import('./view/classifier.js').Looker}
 */
let looker = new Classifier(host);
/** @param {Partial<PageState>} change */
const update = (change) => looker.update(change);

const actions = {
  /**
   * A picture, or a model in one file or in several that came together.
   * @param {Picture} choice
   * @param {File[]} [together]
   */
  async choose(choice, together = []) {
    chosen = choice;
    if (together.length > 1 && together.some(({ name }) => name.endsWith('.json'))) return open({ file: together });
    update({ busy: true, error: undefined });
    const model = choice.blob && (await (await import('./view/model-file.js')).holdsModel(choice.blob, choice.name));
    if (chosen !== choice) return;
    await (model ? open({ file: /** @type {File} */ (choice.blob) }) : looker.look(choice));
  },
  /** @param {boolean} dragging */
  drag: (dragging) => update({ dragging }),
  /** @param {string} error */
  complain: (error) => update({ error }),
  /** @param {PageState['backend']} backend */
  useBackend: (backend) => open({ backend }),
  /** @param {string} model */
  useModel: (model) => open({ model, file: undefined }),
};

/** @type {((state: PageState) => void)[]} */
const views = [engineView(), pictureView(actions), answerView(), remembered];

/** What it takes to show a picture: an address for an image, and a name. @param {Picture} choice @returns {Picture} */
function shown(choice) {
  const { blob, sample } = choice;
  const url = blob ? URL.createObjectURL(blob) : `samples/${sample?.file}`;
  return { ...choice, url, name: choice.name ?? sample?.title };
}

/** The file or sample that was chosen last. @type {Picture | undefined} */
let chosen;
/** @type {Pick<PageState, 'picture' | 'result'>} */
let last = {};
/** Frees the picture that was shown, and notes how long the answer took. @param {PageState} now */
function remembered({ picture, result, times }) {
  const { picture: before } = last;
  if (before !== picture && before?.blob && before.url) URL.revokeObjectURL(before.url);
  if (result && result !== last.result) {
    state.times = { ...times, first: times.first ?? result.milliseconds, warm: result.milliseconds };
  }
  last = { picture, result };
}

/**
 * Another model or engine takes over, once it is loaded.
 * @param {Partial<Pick<PageState, 'model' | 'backend' | 'file'>>} change
 */
async function open(change) {
  const { model, backend, file } = { ...state, ...change };
  update({ busy: true, error: undefined });
  try {
    const net = await timed({ model: file ?? addressOf(model), backend });
    const { info } = net;
    const same = !state.info || info.variant === state.info.variant;
    looker.net?.dispose();
    looker.use(net);
    update({
      ...change,
      info,
      stages: info.stages,
      stage: known(info, state.stage),
      loadError: undefined,
      pointed: undefined,
      set: undefined,
      timed: undefined,
      ...(same ? {} : { maps: undefined, compare: '', pin: '' }),
    });
    await looker.look(state.picture);
  } catch (error) {
    if (!looker.net) throw error;
    const { message } = /** @type {Error} */ (error);
    update({ busy: false, error: file ? `${[file].flat()[0].name}: ${message}` : message });
  }
}

/** @param {Info} info @param {string} stage */
const known = ({ stages }, stage) => (stages.find(({ name }) => name === stage) ?? stages.at(-2) ?? stages[0]).name;
/** @param {string} model */
const addressOf = (model) => (model ? new URL(`models/${model}`, document.baseURI).href : undefined);

/** Loads, and notes how long each part took. @param {import('./lib/index.js').LoadOptions} options */
async function timed(options) {
  const begin = performance.now();
  /** @type {Record<string, number>} */
  const phases = {};
  const loaded = await load({
    ...options,
    onProgress(progress) {
      phases[progress.phase] ??= performance.now() - begin;
      update({ progress });
    },
  });
  update({ times: { phases, load: performance.now() - begin } });
  return loaded;
}

/**
 * What the address names; where that cannot be had, what the page comes with.
 * @returns {Promise<string | undefined>} why it is not what was named
 */
async function openAsAsked() {
  try {
    await open({});
    return undefined;
  } catch (error) {
    if (!state.model && state.backend === 'auto') throw error;
    await open({ model: '', backend: 'auto' });
    return text('notAsAsked', { reason: /** @type {Error} */ (error).message });
  }
}

async function start() {
  listenForPictures(actions);
  /** @type {number} */
  let waiting;
  addEventListener('resize', () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => update({ width: innerWidth, height: innerHeight }));
  });
  state.language ||= /^zh/.test(navigator.language) ? 'zh' : 'en';
  const listed = fetch('samples/samples.json').then((response) => response.json());
  /** @type {[import('./explorer/state.js').Sample[], void]} */
  const [samples] = await Promise.all([listed, speak(state.language)]);
  const sample = samples.find(({ file }) => file === state.sample) ?? samples[0];
  update({ samples, picture: shown({ sample }) });
  let missing;
  try {
    missing = await openAsAsked();
  } catch (error) {
    const reason = /** @type {Error} */ (error);
    update({ loadError: reason, busy: false, error: text('notLoaded', { reason: reason.message }) });
    return;
  }
  const [{ explore }] = await Promise.all([import('./explorer/explorer.js'), speak(state.language, true)]);
  const before = looker;
  const { session, view } = explore(host, before, actions);
  looker = session;
  before.net = undefined;
  views.push(view);
  await session.look(before.picture);
  if (missing) update({ error: missing });
}

start().catch(({ message }) => update({ busy: false, error: text('notStarted', { reason: message }) }));
