/** @file What comes after the first answer: the opened stage in its views, and the tools of the top bar. */
import { byId } from '../view/dom.js';
import { openAnswerers } from './answers.js';
import { evidenceView } from './evidence.js';
import './panel.js';
import { readPin, Session } from './session.js';
import { sources } from './sources.js';
import { stripView } from './strip.js';
import { STEPS, settingsOf } from './tour.js';
import { tools } from './tools.js';
import { viewNamed, views } from './views.js';

/**
 * @typedef {import('./state.js').State & import('./state.js').PageState} PageState
 * @typedef {import('./session.js').Session<PageState>} PageSession
 * @typedef {PageSession['actions'] & import('../app.js').PageActions} PageActions
 */

/**
 * Attaches the explorer to the page.
 * @param {import('./session.js').Host<PageState>} host
 * @param {import('../view/classifier.js').Looker} before who has looked at pictures until now
 * @param {import('../app.js').PageActions} page
 * @returns {{ session: PageSession, view: (state: PageState) => void }}
 */
export function explore(host, before, page) {
  const session = new Session(host);
  const { state } = session;
  if (before.net) session.use(before.net);
  if (state.picture && state.result) session.planner.know(state.picture, state.result);
  const { name, load } = viewNamed(state.tab);
  state.tab = name;
  load().catch(() => {}); // begun early; the panel says what fails
  const tour = /** @type {import('./tour.js').Tour} */ (document.createElement('gg-tour'));
  const tourTo = (/** @type {number | undefined} */ step) => goTo(step, session, tour);
  const actions = { ...session.actions, ...page, tour: tourTo };
  const panel = /** @type {import('./panel.js').Panel} */ (document.createElement('gg-panel'));
  Object.assign(panel, { actions, net: () => session.net });
  panel.addEventListener('failure', (event) => session.failed(/** @type {CustomEvent} */ (event).detail));
  tour.actions = actions;
  byId('tour-place').replaceChildren(tour);
  byId('tour').addEventListener('click', () => actions.tour(0));
  addEventListener('keydown', (event) => keys(event, session, tour));

  const parts = [
    stripView(actions.selectStage),
    tools({ session, actions, panel }),
    sources({ session, actions }),
    evidenceView(actions),
  ];
  session.answer(openAnswerers(session.failed).answerers);
  let attached = false;
  const view = (/** @type {PageState} */ now) => {
    panel.docked = now.step !== undefined;
    panel.show(now);
    for (const draw of parts) draw(now);
    Object.assign(tour, { step: now.step, state: now, language: now.language });
    if (attached || !now.maps) return;
    attached = true;
    byId('stage').replaceChildren(panel);
  };
  return { session, view };
}

/**
 * A step of the guided tour sets what it talks about.
 * @param {number | undefined} step
 * @param {PageSession} session
 * @param {import('./tour.js').Tour} tour
 */
async function goTo(step, session, tour) {
  const { state } = session;
  byId('tour-place').classList.toggle('open', step !== undefined);
  if (step === undefined) {
    session.update({ step, ablation: undefined });
    byId('tour').focus();
    return;
  }
  const { stage, compare, ...rest } = settingsOf(step, state);
  session.update({ step, pointed: undefined, ...rest });
  await tour.updateComplete;
  if (document.activeElement !== tour) tour.find('#tour-next').focus();
  if (stage === state.stage && compare === state.compare) return;
  await session.look(state.picture, { stage, compare, pin: '' });
}

/**
 * Digits open views; the tour has its own keys; Escape lets go of a pin.
 * @param {KeyboardEvent} event
 * @param {PageSession} session
 * @param {import('./tour.js').Tour} tour
 */
function keys(event, session, tour) {
  const { target, key } = event;
  const { state } = session;
  const focused = /** @type {Element} */ (event.composedPath()[0]);
  if (event.ctrlKey || event.metaKey || event.altKey || focused.matches?.('input, select, textarea')) return;
  if (state.step !== undefined && tourKey(event, state.step, tour)) return;
  const row = views[Number(key) - 1];
  const inMenu = target instanceof HTMLElement && target.closest('details[open]');
  if (row) session.update({ tab: row.name });
  else if (key === 'Escape' && state.pin && !inMenu) session.update({ pin: '', pointed: readPin(state.pin) });
}

/**
 * Space and arrows step through the tour, unless they mean something to what has the focus.
 * @param {KeyboardEvent} event
 * @param {number} step
 * @param {import('./tour.js').Tour} tour
 */
function tourKey(event, step, tour) {
  const { key } = event;
  const { tour: go } = tour.actions;
  const focused = /** @type {Element} */ (event.composedPath()[0]);
  const has = (/** @type {string} */ selector) => focused.matches?.(selector) ?? false;
  const isOthers = has('button, summary, [role="grid"], [role="tab"]') && focused.getRootNode() !== tour.renderRoot;
  if (key === 'Escape') go(undefined);
  else if (isOthers || (key === ' ' && has('button'))) return false;
  else if (key === ' ' || key === 'ArrowRight') go(step + 1 < STEPS ? step + 1 : undefined);
  else if (key === 'ArrowLeft') go(Math.max(0, step - 1));
  else return false;
  event.preventDefault();
  return true;
}
