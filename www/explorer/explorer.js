/** @file What comes after the first answer: the opened stage in four views, and the tools of the top bar. */
import { defaults } from '../view/address.js';
import { byId } from '../view/dom.js';
import { effects } from './effects.js';
import { openMetrics } from './metrics.js';
import { readPin, writePin } from './compare.js';
import './panel.js';
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
  const metrics = openMetrics();
  const actions = {
    ...page.actions,
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

  const panel = document.createElement('gg-panel');
  panel.actions = actions;
  const start = effects({ ...page, metrics });
  const drawTools = tools({ ...page, actions, metrics, panel });

  addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.composedPath()[0].matches?.('input, select, textarea')) return;
    const tab = tabs[Number(key) - 1];
    if (tab) update({ tab });
    else if (key === 'Escape' && state.pin && !(target instanceof HTMLElement && target.closest('details[open]'))) update({ pin: '', pointed: readPin(state.pin) });
  });

  let attached = false;
  return (now) => {
    panel.show(now);
    drawTools(now);
    start(now);
    if (!attached && now.maps) {
      attached = true;
      byId('stage').replaceChildren(panel);
    }
  };
}
