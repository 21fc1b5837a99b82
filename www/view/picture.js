/** @file The photograph, the ways to choose another, and the samples. */
import { byId, element, onChange } from './dom.js';
import { parts, text } from './language.js';

export function pictureView({ choose }) {
  const file = byId('file');
  file.addEventListener('change', () => {
    if (file.files[0]) choose({ blob: file.files[0], name: file.files[0].name });
    file.value = ''; // the same file again is a choice too
  });

  const photo = byId('photo');
  const image = byId('photo-image');
  const drawPhoto = onChange(
    ({ picture, dragging, busy, language }) => [picture, dragging, busy, language],
    ({ picture, dragging, busy }) => {
      photo.classList.toggle('dragging', dragging);
      photo.classList.toggle('busy', busy);
      photo.classList.toggle('live', Boolean(picture?.live));
      if (!picture) return;
      if (picture.live) {
        byId('photo-caption').textContent = picture.name;
        return;
      }
      // The first sample is in the document already.
      if (image.getAttribute('src') !== picture.url) image.src = picture.url;
      image.alt = picture.title ?? picture.name;
      byId('photo-caption').replaceChildren(...caption(picture));
    },
  );

  const drawError = onChange(
    ({ error }) => [error],
    ({ error }) => {
      byId('error').hidden = !error;
      byId('error').textContent = error ?? '';
    },
  );

  const drawSamples = onChange(
    ({ samples }) => [samples],
    ({ samples }) => byId('samples').replaceChildren(...samples.map((sample) => element('li', {}, sampleButton(sample, choose)))),
  );
  const markSample = onChange(
    ({ samples, picture }) => [samples, picture],
    ({ picture }) => {
      for (const button of byId('samples').querySelectorAll('button')) {
        button.setAttribute('aria-pressed', String(button.dataset.file === picture?.sample?.file));
      }
    },
  );

  return (state) => [drawPhoto, drawError, drawSamples, markSample].forEach((draw) => draw(state));
}

function sampleButton(sample, choose) {
  const image = element('img', { src: `samples/${sample.file}`, alt: '', loading: 'lazy', fetchPriority: 'low', width: 64, height: 64 });
  const button = element('button', { type: 'button', title: sample.title, 'aria-label': sample.title }, image);
  button.dataset.file = sample.file;
  button.addEventListener('click', () => choose({ sample }));
  return button;
}

function caption({ name, sample }) {
  if (!sample) return [name];
  const link = (words, href) => (href ? element('a', { href, rel: 'noreferrer' }, words) : words);
  return parts('credit', { title: sample.title, author: link(sample.credit, sample.source), license: link(sample.license, sample.licenseUrl) });
}

/** Dropping anywhere and pasting. */
export function listenForPictures({ choose, drag, complain }) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const at = (change) => {
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
    const [file] = event.dataTransfer.files;
    if (file) choose({ blob: file, name: file.name });
    else complain(text('notAFile'));
  });
  addEventListener('paste', (event) => {
    const [file] = event.clipboardData.files;
    if (file) choose({ blob: file, name: file.name || text('pasted') });
    else complain(text('emptyClipboard'));
  });
}
