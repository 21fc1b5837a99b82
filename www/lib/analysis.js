/** @file What few callers ask of a net, fetched when it is first asked: measures, and nets that are made of it. */
import { throwIfAborted } from './errors.js';
import { evidenceOf } from './evidence.js';
import { lazyCalls } from './lazy.js';
import { known, optionsOf } from './options.js';
import { ablationsOf, redundancy as measured } from './study.js';

/**
 * @typedef {import('./index.d.ts').GGhostNet} Net
 * @typedef {import('./loading.js').EngineOptions} EngineOptions
 * @typedef {Pick<import('./loading.js').Hooks, 'signal' | 'onProgress'>} Hooks
 */

/**
 * What a net hands over of itself.
 * @typedef {object} Inside
 * @property {import('./index.d.ts').GGhostNet} net
 * @property {EngineOptions} options that it was loaded with
 * @property {boolean | undefined} worker
 * @property {import('./image.js').Platform} platform
 * @property {(options: EngineOptions, hooks: Hooks) => Promise<import('./index.d.ts').GGhostNet>} make another net
 */

/** Names of the options of each call. */
const names = {
  redundancy: [
    ...['stage', 'taps', 'metric', 'added', 'control', 'other', 'side', 'seed', 'ridge', 'onProgress', 'signal'],
  ],
  evidence: ['class', 'side', 'signal'],
  ablated: ['backend', 'onProgress', 'signal'],
  twin: ['seed', 'backend', 'onProgress', 'signal'],
  teach: ['classes', 'file', 'keep', 'signal', 'platform'],
};

/**
 * @param {Inside} inside
 * @param {Parameters<Net['redundancy']>[0]} input
 * @param {Parameters<Net['redundancy']>[1]} options
 */
export async function redundancy({ net, options: { wasmUrl, packageUrl }, worker, platform }, input, options) {
  const given = optionsOf(options, names.redundancy, 'redundancy');
  return measured(net, input, given, { worker, wasmUrl, packageUrl, platform });
}

/**
 * @param {Inside} inside
 * @param {Parameters<Net['evidence']>[0]} input
 * @param {Parameters<Net['evidence']>[1]} [options]
 */
export async function evidence({ net }, input, options) {
  return evidenceOf(net, input, optionsOf(options, names.evidence, 'evidence'));
}

/**
 * @param {Inside} inside
 * @param {Parameters<Net['ablated']>[0]} ablation
 * @param {Parameters<Net['ablated']>[1]} [options]
 */
export async function ablated(inside, ablation, options) {
  const given = optionsOf(options, names.ablated, 'ablated');
  return edited(inside, { kind: 'ablated', ablations: ablationsOf(inside.net.info, ablation) }, given);
}

/** @param {Inside} inside @param {Parameters<Net['plainTwin']>[0]} [options] */
export async function plainTwin(inside, options) {
  const { seed, ...others } = optionsOf(options, names.twin, 'plainTwin');
  return edited(inside, { kind: 'plain', seed }, others);
}

/** @param {Inside} inside @param {Parameters<Net['plainTwin']>[0]} [options] */
export async function randomTwin(inside, options) {
  const { seed, ...others } = optionsOf(options, names.twin, 'randomTwin');
  return edited(inside, { kind: 'random', seed }, others);
}

/**
 * @param {Inside} inside
 * @param {Parameters<Net['teach']>[0]} [options]
 */
export async function teach(inside, options) {
  const { net, worker, platform, options: own } = inside;
  const given = optionsOf(options, names.teach, 'teach');
  const { openTeacher } = await lazyCalls.teach();
  const { wasmUrl, packageUrl } = own;
  const unlike = { variant: undefined, weights: undefined, edit: undefined };
  return openTeacher(net, given, {
    ...{ worker, wasmUrl, packageUrl, platform },
    netOf: (model, hooks) => another(inside, { model, ...unlike }, hooks),
  });
}

/**
 * A net that is made of this one.
 * @param {Inside} inside
 * @param {import('./edit.js').Edit} edit
 * @param {import('./index.d.ts').EditOptions} options
 */
const edited = (inside, edit, options) =>
  another(inside, { edit: { ...edit, labels: inside.options.labels } }, options);

/**
 * A net of another model on the same engine.
 * @param {Inside} inside
 * @param {Partial<EngineOptions>} what is other
 * @param {import('./index.d.ts').EditOptions} options
 */
async function another({ net, options, make }, what, { backend = net.info.backend, signal, onProgress }) {
  known('backend', backend, ['auto', 'webgpu', 'wasm']);
  throwIfAborted(signal);
  const { kept, labels: _, ...others } = options;
  const from = kept && { module: kept.module, flavour: kept.flavour };
  return make({ ...others, backend, kept: from, ...what }, { signal, onProgress });
}
