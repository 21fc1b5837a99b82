/** @file Pictures from the camera and from an address. */
import { byId, element, onChange } from '../view/dom.js';
import { text } from '../view/language.js';
import { drawnOnDevice } from './compare.js';

export function sources({ state, update, look, actions }) {
  const [camera, link, place, photo] = ['camera', 'link', 'sources', 'photo'].map(byId);
  const form = element('form', { className: 'address', hidden: true });
  const field = element('input', { type: 'url', required: true, placeholder: 'https://' });
  const go = element('button', { type: 'submit', className: 'quiet' });
  const note = element('p', { className: 'note' });
  form.append(field, go, note);
  place.replaceChildren(form);

  link.addEventListener('click', () => {
    form.hidden = !form.hidden;
    link.setAttribute('aria-expanded', String(!form.hidden));
    if (!form.hidden) field.focus();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    update({ busy: true, error: undefined });
    try {
      const blob = await fetchPicture(field.value);
      await actions.choose({ blob, name: decodeURIComponent(new URL(field.value).pathname.split('/').at(-1)) || field.value });
    } catch (error) {
      update({ busy: false, error: error.message });
    }
  });

  const live = webcam({ state, update, look, photo });
  camera.addEventListener('click', () => (state.picture?.live ? live.stop() : live.start()));

  const words = onChange(
    ({ language, picture }) => [language, Boolean(picture?.live)],
    ({ picture }) => {
      field.setAttribute('aria-label', text('addressLabel'));
      go.textContent = text('fetch');
      note.textContent = text('addressNote');
      camera.textContent = text(picture?.live ? 'cameraStop' : 'camera');
    },
  );
  return (now) => {
    words(now);
    live.show(now);
  };
}

/** Only what the visitor names is fetched, without cookies. */
async function fetchPicture(address) {
  const url = new URL(address);
  let response;
  try {
    response = await fetch(url, { credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch {
    throw new Error(text('noCors', { host: url.host }));
  }
  if (!response.ok) throw new Error(text('fetchFailed', { host: url.host, status: response.status }));
  return response.blob();
}

const READ_EVERY = 500; // milliseconds

const canvas = document.createElement('canvas');
/** A frame's pixels, kept where they are read: a bitmap would go by the graphics card and back. */
function pixelsOf(video) {
  const { videoWidth: width, videoHeight: height } = video;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/** Tells when a video has a frame that was not asked for yet: to look at one twice would only cost time. */
function freshFrames(video) {
  if (!video.requestVideoFrameCallback) return async () => {};
  let fresh = true;
  let wake;
  const note = () => {
    fresh = true;
    wake?.();
    if (video.isConnected) video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
  return async () => {
    if (!fresh) await new Promise((resolve) => (wake = resolve));
    fresh = false;
  };
}

/** The camera's picture, looked at again as soon as the last look is over. */
function webcam({ state, update, look, photo }) {
  let video;
  let stream;
  let paused = false;
  let frames = [];
  let read = 0;
  /** Counts starts: a run ends when there is a later one. */
  let starts = 0;
  const bar = element('p', { className: 'live-bar', hidden: true });
  const rate = element('output', { id: 'frame-rate' });
  const pause = element('button', { type: 'button', className: 'quiet', id: 'pause' });
  bar.append(rate, pause);
  photo.querySelector('figcaption').before(bar);
  pause.addEventListener('click', () => {
    paused = !paused;
    if (paused) video.pause();
    else run();
    words();
  });
  const words = () => (pause.textContent = text(paused ? 'resume' : 'pause'));

  async function start() {
    try {
      // Little larger than what networks see: more pixels would only cost time.
      if (!navigator.mediaDevices) throw new Error(text('noCamera'));
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 320 }, height: { ideal: 240 }, facingMode: 'environment' } });
    } catch (error) {
      update({ error: error.name === 'NotAllowedError' ? text('cameraRefused') : error.name === 'NotFoundError' ? text('noCamera') : error.message });
      return;
    }
    video = element('video', { muted: true, playsInline: true, srcObject: stream });
    photo.prepend(video);
    await video.play();
    paused = false;
    frames = [];
    run();
  }

  async function run() {
    const [mine, start] = [video, ++starts];
    await mine.play();
    bar.hidden = false;
    const fresh = freshFrames(mine);
    const goesOn = () => mine === video && start === starts && !paused;
    while (goesOn()) {
      await fresh();
      if (!goesOn()) break;
      // Where the graphics card draws the maps, they come to the processor now and then, to be compared.
      const unread = drawnOnDevice(state) && performance.now() - read < READ_EVERY;
      if (!unread) read = performance.now();
      await look({ live: pixelsOf(mine), name: text('camera'), unread });
      if (mine !== video || !state.picture?.live) break;
      // Over the last two seconds, or the last three pictures where they take longer.
      const now = performance.now();
      frames = [...frames, now].filter((time, i, all) => time > now - 2000 || i >= all.length - 3);
      const second = (1000 * (frames.length - 1)) / (now - frames[0]);
      if (frames.length > 2) rate.value = text('frameRate', { rate: second.toFixed(second < 10 ? 1 : 0) });
      // A page in the background rests.
      if (document.hidden) await new Promise(requestAnimationFrame);
    }
  }

  /** Back to the first sample: what the camera saw is not kept. */
  function stop() {
    close();
    look({ sample: state.samples[0] });
  }

  function close() {
    stream?.getTracks().forEach((track) => track.stop());
    video?.remove();
    bar.hidden = true;
    video = stream = undefined;
  }

  return {
    start,
    stop,
    /** Another picture was chosen. */
    show({ picture }) {
      words();
      if (video && picture && !picture.live && frames.length) close();
    },
  };
}
