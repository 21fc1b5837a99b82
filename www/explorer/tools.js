/** @file The top bar: language, theme, model, status, link and export. */
import { defaults } from '../view/address.js';
import { byId, onChange } from '../view/dom.js';
import { speak, text } from '../view/language.js';
import { exportCsv, exportJson, exportPng, save } from './export.js';
import './status.js';

export function tools({ state, actions, update, net, panel }) {
  const [language, theme, share, menu, model] = ['language', 'theme', 'share', 'export', 'model'].map(byId);
  const status = document.createElement('gg-status');
  status.actions = actions;
  status.net = net;
  byId('status').replaceChildren(status);

  language.addEventListener('change', async () => {
    await speak(language.value);
    update({ language: language.value });
  });
  theme.addEventListener('click', () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === 'dark' || (!state.theme && matchMedia('(prefers-color-scheme: dark)').matches);
    update({ theme: dark ? 'light' : 'dark' });
  });
  share.addEventListener('click', async () => {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    share.textContent = text(state.picture.sample ? 'shared' : 'sharedWithoutPicture');
    setTimeout(() => (share.textContent = text('share')), 2000);
  });
  menu.addEventListener('click', async ({ target }) => {
    const kind = target.dataset?.export;
    if (!kind) return;
    menu.open = false;
    const name = `g-ghostnet-${state.stage}-${state.tab}`;
    if (kind === 'csv') save(`${name}.csv`, exportCsv(state), 'text/csv');
    else if (kind === 'json') save(`${name}.json`, exportJson(state), 'application/json');
    else save(`${name}.png`, await exportPng(panel, state), 'image/png');
  });
  addEventListener('click', ({ target }) => menu.contains(target) || (menu.open = false));
  menu.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') [menu.open] = [false, menu.querySelector('summary').focus()];
  });
  offline(update);
  // Another address was typed or pasted: the page as it says.
  addEventListener('hashchange', () => location.reload());
  fetch('models/models.json')
    .then((response) => response.json())
    .then((models) => update({ models }), () => update({ models: [] }));
  model.addEventListener('change', () => {
    if (model.value === 'own') byId('file').click();
    else actions.useModel(model.value);
    drawModels(state, true);
  });

  const drawModels = (now) => {
    const { models, file } = now;
    if (!models) return;
    const option = (value, words, selected) => Object.assign(document.createElement('option'), { value, textContent: words, selected });
    model.replaceChildren(
      ...models.map(({ file: name, title }, i) => option(i ? name : '', title, !file && now.model === (i ? name : ''))),
      ...(file ? [option('file', file.name, true)] : []),
      option('own', text('ownModel'), false),
    );
  };
  const draws = [
    onChange(({ models, model, file, language }) => [models, model, file, language], drawModels),
    onChange(
      ({ theme, language }) => [theme, language],
      (now) => {
        if (now.theme) document.documentElement.dataset.theme = now.theme;
        else delete document.documentElement.dataset.theme;
        language.value = now.language;
      },
    ),
    (now) => status.show(now),
    remember,
  ];
  return (now) => draws.forEach((draw) => draw(now));
}

/** Makes the page work without a network, and says when a newer version waits. */
function offline(update) {
  const { serviceWorker } = navigator;
  if (!serviceWorker || !isSecureContext) return;
  serviceWorker.register('service.js').then(
    (registration) => {
      registration.addEventListener('updatefound', () => {
        const { installing } = registration;
        const earlier = Boolean(serviceWorker.controller);
        installing.addEventListener('statechange', () => {
          if (installing.state === 'installed' && earlier) update({ newer: true });
          if (installing.state === 'activated' && !earlier) update({ offline: true });
        });
      });
      update({ offline: Boolean(registration.active), newer: Boolean(registration.waiting) });
    },
    () => update({ offline: false }), // a host without the file, a browser that forbids it: the page works all the same
  );
}

let written;
let waiting;
/** Keeps the address up to date, but not at every step of a slider. */
function remember(state) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const address = writeAddress(state);
    if (address === written) return;
    written = address;
    history.replaceState(null, '', address ? `#${address}` : location.pathname + location.search);
  }, 150);
}

/** The part of the address after `#`; a picture of the visitor's own has no name there. */
function writeAddress(state) {
  const named = { ...state, sample: state.picture?.sample?.file ?? defaults.sample };
  const changed = Object.keys(defaults).filter((name) => named[name] !== undefined && named[name] !== defaults[name]);
  return new URLSearchParams(changed.map((name) => [name, String(named[name])])).toString();
}
