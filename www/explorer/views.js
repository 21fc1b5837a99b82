/**
 * @file The views of a stage, a row each: tabs, keys, elements of other pages and what is asked of the network follow
 * from this table. `needs` says what a view shows of a state, as requests by the name of their answer.
 */
import { stageNamed } from '../view/input.js';
import { mapsOf, similarity } from './requests.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {Record<string, import('./requests.js').Request | undefined>} Needs
 *
 * @typedef {object} Row
 * @property {string} name of its tab, in addresses, and of its words: `tab_NAME`
 * @property {string} element `gg-ELEMENT` here, `g-ghostnet-ELEMENT` in other pages
 * @property {() => Promise<unknown>} load defines the element
 * @property {boolean} [compares] whether it shows the compared maps: by itself it has the choice of them
 * @property {(state: State) => Needs} needs
 */

/** @type {Row[]} */
export const views = [
  {
    name: 'twins',
    element: 'twins',
    load: () => import('./twins.js'),
    compares: true,
    needs: () => ({}),
  },
  { name: 'ghost', element: 'ghost-path', load: () => import('./ghost.js'), needs: ghostPath },
  {
    name: 'similarity',
    element: 'similarity',
    load: () => import('./similarity.js'),
    compares: true,
    needs: (state) => ({ order: isCompared(state) ? { kind: 'order', from: [compared(state)] } : undefined }),
  },
  { name: 'numbers', element: 'numbers', load: () => import('./numbers.js'), compares: true, needs: numbers },
];

/** The view of a name; the first where there is none. @param {string} tab */
export const viewNamed = (tab) => views.find(({ name }) => name === tab) ?? views[0];

/** Whether there are two different taps to compare. @param {State} state */
const isCompared = ({ maps }) => Boolean(maps && maps.taps[0] !== maps.taps[1]);

/** @param {State} state */
const shownMaps = ({ maps }) => (maps ? maps.taps.map((tap) => mapsOf(maps.picture, [tap])) : []);

/** @param {State} state */
function compared(state, shuffled = false) {
  const [first, last] = shownMaps(state);
  return similarity(first, last, state.metric, shuffled);
}

/** The picture whose block 1 serves as a control: another sample, if there is one. @param {State} state */
const otherPicture = ({ samples, picture }) => {
  const sample = samples.find((one) => one !== picture?.sample);
  return sample && { sample };
};

/**
 * What is asked whichever view is open: how similar the compared maps are and what chance makes of them, and what the
 * visitor has set going.
 * @param {State} state
 * @returns {Needs}
 */
export function stageNeeds(state) {
  const { set, timed, picture, maps } = state;
  const going = {
    set: set && { kind: 'measure', pictures: set.pictures, taps: set.taps, random: true },
    times: timed && { kind: 'times', picture: timed.picture, run: timed.run },
    evidence: evidenceOf(state),
  };
  if (!isCompared(state) || !picture || !maps) return going;
  if (picture.live) return { ...going, similarity: compared(state) };
  const other = otherPicture(state);
  const chance = other && similarity(mapsOf(other, [maps.taps[0]]), shownMaps(state)[1], state.metric);
  return { ...going, similarity: compared(state), shuffled: compared(state, true), chance };
}

/** What speaks for the answer that the visitor has asked about. @param {State} state */
function evidenceOf({ class: asked, picture, info }) {
  const index = asked === '' ? Number.NaN : Number(asked);
  if (!picture || picture.live || !(index < (info?.labels.length ?? 0))) return undefined;
  return { kind: 'evidence', picture, index };
}

/** @param {State} state @returns {Needs} */
function ghostPath({ stages, maps, picture, ablation, samples, result }) {
  const { blocks, ghostPath: path, name } = stageNamed({ stages }, maps?.stage);
  if (!path || !picture) return {};
  const { cheap, ghost, intrinsic, merge, step } = path;
  const taps = [blocks[0], cheap, ghost, intrinsic, merge].flatMap((tap) => tap ?? []);
  const asked = ablation?.kind && result && !picture.live && { kind: 'without', ablation, picture, stage: name };
  // The best fit is made over the samples.
  const over = ablation?.kind === 'fit' && samples.length ? samples.map((sample) => ({ sample })) : [picture];
  return {
    path: mapsOf(picture, taps),
    weights: { kind: 'weights', step },
    without: asked ? { ...asked, pictures: over, taps: [blocks[0], ghost] } : undefined,
  };
}

/** @param {State} state @returns {Needs} */
function numbers(state) {
  const { info, maps, picture } = state;
  const other = otherPicture(state);
  const hasGhosts = info?.stages.some(({ kind }) => kind === 'ghost');
  const measured = isCompared(state) && picture && !picture.live;
  return {
    alone: measured ? { kind: 'measure', pictures: [picture], other: other && [other], taps: maps?.taps } : undefined,
    plain: hasGhosts ? { kind: 'plain' } : undefined,
  };
}

/** What a state asks: its stage, and the view that is open. @param {State} state */
export const needsOf = (state) => ({ ...stageNeeds(state), ...viewNamed(state.tab).needs(state) });

/**
 * What any of the views may ask of the picture that is shown; of the camera's only what is open.
 * @param {State} state
 * @param {Row[]} rows
 */
export function welcomeOf(state, rows) {
  const open = state.picture?.live ? rows.filter(({ name }) => name === state.tab) : rows;
  const all = [stageNeeds(state), ...open.map(({ needs }) => needs(state))];
  return all.flatMap((needs) => Object.values(needs)).flatMap((request) => request ?? []);
}
