/** @file The top bar: language, theme, model, status, link and export. */
import { defaults } from '../view/address.js';
import { byId, onChange } from '../view/dom.js';
import { speak, text } from '../view/language.js';
import { exportCsv, exportJson, exportPng, provenanceOf, save } from './export.js';
import './status.js';

/**
 * @typedef {import('./explorer.js').PageState} PageState
 *
 * @typedef {object} Tools
 * @property {import('./explorer.js').PageSession} session
 * @property {import('./explorer.js').PageActions} actions
 * @property {import('./panel.js').Panel} panel
 */

/** @param {Tools} page @returns {(state: PageState) => void} */
export function tools(page) {
  const { session } = page;
  const status = /** @type {import('./status.js').Status} */ (document.createElement('gg-status'));
  Object.assign(status, { actions: page.actions, net: () => session.net });
  byId('status').replaceChildren(status);
  offline(session.actions.update);
  // Another address was typed or pasted: the page as it says.
  addEventListener('hashchange', () => location.reload());
  const draws = [
    languageAndTheme(session),
    modelChoice(page),
    (/** @type {PageState} */ now) => status.show(now),
    remember,
  ];
  share(session);
  exports(page);
  menu();
  return (now) => draws.forEach((draw) => draw(now));
}

/** @param {import('./explorer.js').PageSession} session */
function languageAndTheme({ state, actions: { update: tell } }) {
  const language = byId('language', HTMLSelectElement);
  language.addEventListener('change', async () => {
    await speak(language.value);
    tell({ language: language.value });
  });
  byId('theme').addEventListener('click', () => {
    const { colorScheme } = getComputedStyle(document.documentElement);
    const night = !state.theme && matchMedia('(prefers-color-scheme: dark)').matches;
    tell({ theme: colorScheme === 'dark' || night ? 'light' : 'dark' });
  });
  return onChange(
    (/** @type {PageState} */ now) => [now.theme, now.language],
    (now) => {
      const { dataset } = document.documentElement;
      if (now.theme) dataset.theme = now.theme;
      else delete dataset.theme;
      language.value = now.language;
    },
  );
}

/** In a narrow window the tools are behind a button. */
function menu() {
  const [button, tools] = [byId('menu'), byId('tools')];
  const open = (/** @type {boolean} */ wanted) => {
    tools.classList.toggle('open', wanted);
    button.setAttribute('aria-expanded', String(wanted));
  };
  button.addEventListener('click', () => open(!tools.classList.contains('open')));
  addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || !tools.classList.contains('open')) return;
    open(false);
    button.focus();
  });
  addEventListener('click', ({ target }) => {
    const within = target instanceof Element && target.closest('#tools, #menu');
    if (!within) open(false);
  });
}

/** @param {import('./explorer.js').PageSession} session */
function share({ state }) {
  const button = byId('share');
  button.addEventListener('click', async () => {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    button.textContent = text(state.picture?.sample ? 'shared' : 'sharedWithoutPicture');
    setTimeout(() => (button.textContent = text('share')), 2000);
  });
}

/** @param {Tools} page */
function exports({ panel }) {
  const menu = byId('export', HTMLDetailsElement);
  const close = () => (menu.open = false);
  menu.addEventListener('click', async ({ target }) => {
    const kind = target instanceof HTMLElement && target.dataset.export;
    if (!kind || !panel.state?.maps) return;
    close();
    const { state } = panel;
    const name = `g-ghostnet-${state.stage}-${state.tab}`;
    if (kind === 'csv') {
      save(`${name}.csv`, exportCsv(state), 'text/csv');
      return;
    }
    const provenance = await provenanceOf(state, panel.net());
    if (kind === 'json') save(`${name}.json`, exportJson(state, provenance, panel.exported()), 'application/json');
    else save(`${name}.png`, await exportPng(panel, provenance), 'image/png');
  });
  addEventListener('click', ({ target }) => {
    if (!(target instanceof Node && menu.contains(target))) close();
  });
  menu.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    close();
    menu.querySelector('summary')?.focus();
  });
}

/** @param {Tools} page */
function modelChoice({ session, actions }) {
  const model = byId('model', HTMLSelectElement);
  fetch('models/models.json')
    .then((response) => response.json())
    .then(
      (models) => actions.update({ models }),
      () => actions.update({ models: [] }),
    );
  const draw = (/** @type {PageState} */ { models, file, model: chosen }) => {
    if (!models) return;
    const option = (/** @type {string} */ value, /** @type {string} */ words, selected = false) =>
      Object.assign(document.createElement('option'), { value, textContent: words, selected });
    // The first one is the default.
    const value = (/** @type {number} */ i) => (i ? models[i].file : '');
    model.replaceChildren(
      ...models.map(({ title }, i) => option(value(i), title, !file && chosen === value(i))),
      ...(file ? [option('file', [file].flat()[0].name, true)] : []),
      option('own', text('ownModel')),
    );
  };
  model.addEventListener('change', () => {
    if (model.value === 'own') byId('file').click();
    else actions.useModel(model.value);
    draw(session.state);
  });
  return onChange((/** @type {PageState} */ now) => [now.models, now.model, now.file, now.language], draw);
}

/**
 * Makes the page work without a network, and says when a newer version waits.
 * @param {(change: Partial<PageState>) => void} update
 */
function offline(update) {
  const { serviceWorker } = navigator;
  if (!serviceWorker || !isSecureContext) return;
  serviceWorker.register('service.js').then(
    (registration) => {
      registration.addEventListener('updatefound', () => {
        const { installing } = registration;
        const earlier = Boolean(serviceWorker.controller);
        installing?.addEventListener('statechange', () => {
          if (installing.state === 'installed' && earlier) update({ newer: true });
          if (installing.state === 'activated' && !earlier) update({ offline: true });
        });
      });
      update({ offline: Boolean(registration.active), newer: Boolean(registration.waiting) });
    },
    () => update({ offline: false }), // a host without the file, a browser that forbids it: the page works all the same
  );
}

/** @type {string | undefined} */
let written;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let waiting;
/** Keeps the address up to date, but not at every step of a slider. @param {PageState} state */
function remember(state) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const address = writeAddress(state);
    if (address === written) return;
    written = address;
    history.replaceState(null, '', address ? `#${address}` : location.pathname + location.search);
  }, 150);
}

/** The part of the address after `#`; a picture of the visitor's own has no name there. @param {PageState} state */
function writeAddress(state) {
  /** @type {import('./state.js').Choices} */
  const named = { ...state, sample: state.picture?.sample?.file ?? defaults.sample };
  const names = /** @type {(keyof typeof defaults)[]} */ (Object.keys(defaults));
  const changed = names.filter((name) => named[name] !== undefined && named[name] !== defaults[name]);
  return new URLSearchParams(changed.map((name) => [name, String(named[name])])).toString();
}
