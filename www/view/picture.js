/** @file The photograph, the ways to choose another, and the samples. */
import { byId, element, onChange } from './dom.js';
import { parts, text } from './language.js';

/**
 * @typedef {import('../explorer/explorer.js').PageState} PageState
 * @typedef {import('../explorer/state.js').Picture} Picture
 * @typedef {import('../explorer/state.js').Sample} Sample
 * @typedef {(choice: Picture, together?: File[]) => void} Choose with all files that were chosen with it
 */

/** @param {{ choose: Choose }} actions @returns {(state: PageState) => void} */
export function pictureView({ choose }) {
  const file = byId('file', HTMLInputElement);
  file.addEventListener('change', () => {
    const [chosen, ...others] = file.files ?? [];
    if (chosen) choose({ blob: chosen, name: chosen.name }, [chosen, ...others]);
    file.value = ''; // the same file again is a choice too
  });

  const photo = byId('photo');
  const image = byId('photo-image', HTMLImageElement);
  const drawPhoto = onChange(
    (/** @type {PageState} */ { picture, dragging, busy, language }) => [picture, dragging, busy, language],
    ({ picture, dragging, busy }) => {
      photo.classList.toggle('dragging', dragging);
      photo.classList.toggle('busy', busy);
      photo.classList.toggle('live', Boolean(picture?.live));
      if (!picture) return;
      if (picture.live) {
        byId('photo-caption').textContent = picture.name ?? '';
        return;
      }
      // The first sample is in the document already.
      if (picture.url && image.getAttribute('src') !== picture.url) image.src = picture.url;
      image.alt = picture.title ?? picture.name ?? '';
      byId('photo-caption').replaceChildren(...caption(picture));
    },
  );

  const drawError = onChange(
    (/** @type {PageState} */ { error }) => [error],
    ({ error }) => {
      byId('error').hidden = !error;
      byId('error').textContent = error ?? '';
    },
  );

  const draws = [drawPhoto, drawError, ...samplesView(choose)];
  return (state) => draws.forEach((draw) => draw(state));
}

/** The samples, and which of them is shown. @param {Choose} choose */
function samplesView(choose) {
  const drawSamples = onChange(
    (/** @type {PageState} */ { samples }) => [samples],
    ({ samples }) => {
      byId('samples').replaceChildren(...samples.map((sample) => element('li', {}, sampleButton(sample, choose))));
    },
  );
  const markSample = onChange(
    (/** @type {PageState} */ { samples, picture }) => [samples, picture],
    ({ picture }) => {
      for (const button of byId('samples').querySelectorAll('button')) {
        button.setAttribute('aria-pressed', String(button.dataset.file === picture?.sample?.file));
      }
    },
  );

  return [drawSamples, markSample];
}

/** @param {Sample} sample @param {Choose} choose */
function sampleButton(sample, choose) {
  const src = `samples/${sample.file}`;
  const image = element('img', { src, alt: '', loading: 'lazy', fetchPriority: 'low', width: 64, height: 64 });
  const button = element('button', { type: 'button', title: sample.title, 'aria-label': sample.title }, image);
  button.dataset.file = sample.file;
  button.addEventListener('click', () => choose({ sample }));
  return button;
}

/** @param {Picture} picture @returns {(Node | string)[]} */
function caption({ name = '', sample }) {
  if (!sample) return [name];
  const link = (words = '', href = '') => (href ? element('a', { href, rel: 'noreferrer' }, words) : words);
  const { title, credit, source, license, licenseUrl } = sample;
  const values = { title, author: link(credit, source), license: link(license, licenseUrl) };
  return /** @type {(Node | string)[]} */ (parts('credit', values));
}

/**
 * Dropping anywhere and pasting.
 * @param {{ choose: Choose, drag: (dragging: boolean) => void, complain: (error: string) => void }} actions
 */
export function listenForPictures({ choose, drag, complain }) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const at = (/** @type {number} */ change) => {
    depth = Math.max(0, depth + change);
    drag(depth > 0);
  };
  addEventListener('dragenter', () => at(1));
  addEventListener('dragleave', () => at(-1));
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    depth = 0;
    drag(false);
    const [file, ...others] = event.dataTransfer?.files ?? [];
    if (file) choose({ blob: file, name: file.name }, [file, ...others]);
    else complain(text('notAFile'));
  });
  addEventListener('paste', (event) => {
    if (event.target instanceof HTMLInputElement) return; // an address
    const [file] = event.clipboardData?.files ?? [];
    if (file) choose({ blob: file, name: file.name || text('pasted') });
    else complain(text('emptyClipboard'));
  });
}
