/** @file What a visitor can do in the opened stage, on this page and in elements of other pages. */
import { text } from '../view/language.js';
import { writePin } from './compare.js';
import { samplesOf } from './samples.js';
import { studies, timeBoth } from './study.js';

/** @param {{ state: object, update: (change: object) => void, net: () => object, metrics: Promise<object> }} page */
export function stageActions(page) {
  const { state, update } = page;
  const { measureSet, cancelSet } = studies(page);
  return {
    measureSet,
    measureSamples: () => measureSet(samplesOf(state), text('samples')),
    cancelSet,
    async timeBoth() {
      const { info } = state;
      const { signal } = new AbortController();
      const tell = (change) => update({ bothTimes: { info, ...change } });
      const onProgress = (running) => tell({ running });
      onProgress('wasm');
      tell({ found: await timeBoth({ net: page.net(), state, signal, onProgress }) });
    },
    point(pointed) {
      const { pointed: last } = state;
      if (last?.side !== pointed.side || last.channel !== pointed.channel || last.other !== pointed.other) update({ pointed });
    },
    /** The pointer left the maps: a pinned one is shown again. */
    leave() {
      if (state.pin && state.pointed) update({ pointed: undefined });
    },
    pin(pointed) {
      const pin = writePin(pointed);
      update({ pin: state.pin === pin ? '' : pin, pointed });
    },
  };
}
