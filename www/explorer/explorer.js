/** @file What comes after the first answer: the opened stage in four views, and the tools of the top bar. */
import { defaults } from '../view/address.js';
import { openSimilarity } from '../lib/similarity.js';
import { byId } from '../view/dom.js';
import { stageActions } from './actions.js';
import { effects } from './effects.js';
import { readPin } from './compare.js';
import './panel.js';
import { sources } from './sources.js';
import { stripView } from './strip.js';
import { settingsOf } from './tour.js';
import { tools } from './tools.js';

export const tabs = ['twins', 'ghost', 'similarity', 'numbers'];

/**
 * Attaches the explorer to the page.
 * @param {{ state: object, actions: object, update: (change: object) => void, look: Function, net: () => object }} page
 * @returns {(state: object) => void} its view
 */
export function explore(page) {
  const { state, update } = page;
  if (!tabs.includes(state.tab)) state.tab = defaults.tab;
  /** What compares maps, in a worker of its own. */
  const metrics = openSimilarity();
  metrics.catch((error) => update({ error: error.message }));
  const actions = {
    ...page.actions,
    ...stageActions({ ...page, metrics }),
    /** A step of the guided tour sets what it talks about. */
    async tour(step) {
      byId('tour-place').classList.toggle('open', step !== undefined);
      if (step === undefined) {
        update({ step, ablation: undefined });
        byId('tour').focus();
        return;
      }
      const { stage, compare, ...rest } = settingsOf(step, state);
      update({ step, pointed: undefined, ...rest });
      await tour.updateComplete;
      if (document.activeElement !== tour) tour.renderRoot.querySelector('#tour-next').focus();
      if (stage !== state.stage || compare !== state.compare) await page.look(state.picture, { stage, compare, pin: '' });
    },
  };

  const panel = document.createElement('gg-panel');
  panel.actions = actions;
  panel.net = page.net;
  const start = effects({ ...page, metrics });
  const drawTools = tools({ ...page, actions, panel });
  const drawStrip = stripView(actions);
  const drawSources = sources({ ...page, actions });
  const tour = document.createElement('gg-tour');
  tour.actions = actions;
  byId('tour-place').replaceChildren(tour);
  byId('tour').addEventListener('click', () => actions.tour(0));

  addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.composedPath()[0].matches?.('input, select, textarea')) return;
    const tab = tabs[Number(key) - 1];
    if (state.step !== undefined && steps(event)) return;
    if (tab) update({ tab });
    else if (key === 'Escape' && state.pin && !(target instanceof HTMLElement && target.closest('details[open]'))) update({ pin: '', pointed: readPin(state.pin) });
  });

  /** Space and arrows step through the tour, unless they mean something to what has the focus. */
  function steps(event) {
    const { key } = event;
    const focused = event.composedPath()[0];
    if (key === 'Escape') actions.tour(undefined);
    else if (focused.matches?.('button, summary, [role="grid"], [role="tab"]') && focused.getRootNode() !== tour.renderRoot) return false;
    else if (key === ' ' && focused.matches?.('button')) return false;
    else if (key === ' ' || key === 'ArrowRight') actions.tour(state.step + 1 < 8 ? state.step + 1 : undefined);
    else if (key === 'ArrowLeft') actions.tour(Math.max(0, state.step - 1));
    else return false;
    event.preventDefault();
    return true;
  }

  let attached = false;
  return (now) => {
    panel.show(now);
    drawStrip(now);
    drawTools(now);
    drawSources(now);
    Object.assign(tour, { step: now.step, state: now, language: now.language });
    start(now);
    if (!attached && now.maps) {
      attached = true;
      byId('stage').replaceChildren(panel);
    }
  };
}
