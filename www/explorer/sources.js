/** @file Pictures from the camera and from an address. */
import { byId, element, onChange } from '../view/dom.js';
import { text } from '../view/language.js';
import { drawnOnDevice } from './stage.js';

/**
 * @typedef {import('./explorer.js').PageState} PageState
 * @typedef {import('./explorer.js').PageSession} PageSession
 * @typedef {import('./state.js').Picture} Picture
 */

/**
 * @param {{ session: PageSession, actions: import('./explorer.js').PageActions }} page
 * @returns {(state: PageState) => void}
 */
export function sources({ session, actions }) {
  const words = addressForm(actions);
  const camera = byId('camera');
  const live = new Webcam(session);
  camera.addEventListener('click', () => (session.state.picture?.live ? live.stop() : live.start()));
  const name = onChange(
    (/** @type {PageState} */ { language, picture }) => [language, Boolean(picture?.live)],
    ({ picture }) => (camera.textContent = text(picture?.live ? 'cameraStop' : 'camera')),
  );
  return (now) => {
    words(now);
    name(now);
    live.show(now);
  };
}

/** @param {import('./explorer.js').PageActions} actions */
function addressForm({ choose, update }) {
  const link = byId('link');
  const form = element('form', { className: 'address', hidden: true });
  const field = /** @type {HTMLInputElement} */ (
    element('input', { type: 'url', required: true, placeholder: 'https://' })
  );
  const go = element('button', { type: 'submit', className: 'quiet' });
  const note = element('p', { className: 'note' });
  form.append(field, go, note);
  byId('sources').replaceChildren(form);
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
      const name = decodeURIComponent(new URL(field.value).pathname.split('/').at(-1) ?? '') || field.value;
      await choose({ blob, name });
    } catch (error) {
      update({ busy: false, error: /** @type {Error} */ (error).message });
    }
  });
  return onChange(
    (/** @type {PageState} */ { language }) => [language],
    () => {
      field.setAttribute('aria-label', text('addressLabel'));
      go.textContent = text('fetch');
      note.textContent = text('addressNote');
    },
  );
}

/** Only what the visitor names is fetched, without cookies. @param {string} address */
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
/**
 * A frame's pixels, kept where they are read: a bitmap would go by the graphics card and back.
 * @param {HTMLVideoElement} video
 */
function pixelsOf(video) {
  const { videoWidth: width, videoHeight: height } = video;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  context.drawImage(video, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/**
 * Tells when a video has a frame that was not asked for yet: to look at one twice would only cost time.
 * @param {HTMLVideoElement} video
 */
function freshFrames(video) {
  if (!('requestVideoFrameCallback' in video)) return async () => {};
  let fresh = true;
  /** @type {((value?: unknown) => void) | undefined} */
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

/** Pictures a second, over the last two seconds, or the last three pictures where they take longer. */
class Rate {
  /** @type {number[]} */
  #frames = [];

  /** @returns {number | undefined} known from the third picture on */
  count() {
    const now = performance.now();
    this.#frames = [...this.#frames, now].filter((time, i, all) => time > now - 2000 || i >= all.length - 3);
    const [start] = this.#frames;
    return this.#frames.length > 2 ? (1000 * (this.#frames.length - 1)) / (now - start) : undefined;
  }

  get any() {
    return this.#frames.length > 0;
  }
}

/** Whether two are the same picture: once it is shown it is another object. @type {(a?: Picture, b?: Picture) => boolean} */
const isSame = (a, b) => a?.sample === b?.sample && a?.blob === b?.blob && a?.input === b?.input;

/** The camera's picture, looked at again as soon as the last look is over. */
class Webcam {
  /** @type {HTMLVideoElement | undefined} */
  #video;
  /** @type {MediaStream | undefined} */
  #stream;
  #paused = false;
  #rate = new Rate();
  /** When maps were read back last. */
  #read = 0;
  /** What was looked at before: it comes back. @type {import('./state.js').Picture | undefined} */
  #before;
  /** Counts starts: a run ends when there is a later one. */
  #starts = 0;
  #bar = element('p', { className: 'live-bar', hidden: true });
  #shownRate = /** @type {HTMLOutputElement} */ (element('output', { id: 'frame-rate' }));
  #pause = element('button', { type: 'button', className: 'quiet', id: 'pause' });

  /** @param {PageSession} session */
  constructor(session) {
    this.session = session;
    this.photo = byId('photo');
    this.#bar.append(this.#shownRate, this.#pause);
    this.photo.querySelector('figcaption')?.before(this.#bar);
    this.#pause.addEventListener('click', () => {
      this.#paused = !this.#paused;
      if (this.#paused) this.#video?.pause();
      else this.#run();
      this.#words();
    });
  }

  #words() {
    this.#pause.textContent = text(this.#paused ? 'resume' : 'pause');
  }

  async start() {
    try {
      if (!navigator.mediaDevices) throw new Error(text('noCamera'));
      // Little larger than what networks see: more pixels would only cost time.
      const video = { width: { ideal: 320 }, height: { ideal: 240 }, facingMode: 'environment' };
      this.#stream = await navigator.mediaDevices.getUserMedia({ video });
    } catch (cause) {
      const { name, message } = /** @type {Error} */ (cause);
      const words = { NotAllowedError: 'cameraRefused', NotFoundError: 'noCamera' }[name];
      this.session.update({ error: words ? text(words) : message });
      return;
    }
    const video = { muted: true, playsInline: true, srcObject: this.#stream };
    this.#video = /** @type {HTMLVideoElement} */ (element('video', video));
    this.photo.prepend(this.#video);
    await this.#video.play();
    this.#paused = false;
    this.#rate = new Rate();
    this.#before = this.session.picture;
    this.#run();
  }

  async #run() {
    const [mine, start] = [this.#video, ++this.#starts];
    if (!mine) return;
    await mine.play();
    this.#bar.hidden = false;
    const fresh = freshFrames(mine);
    /** Another picture that is chosen meanwhile ends it. */
    const isWanted = () => {
      const { picture } = this.session;
      return picture?.live !== undefined || isSame(picture, this.#before);
    };
    const goesOn = () => mine === this.#video && start === this.#starts && !this.#paused && isWanted();
    while (goesOn()) {
      await fresh();
      if (!goesOn()) break;
      await this.session.look({ live: pixelsOf(mine), name: text('camera'), unread: this.#isUnread() });
      if (mine !== this.#video || !this.session.state.picture?.live) break;
      const rate = this.#rate.count();
      if (rate) this.#shownRate.value = text('frameRate', { rate: rate.toFixed(rate < 10 ? 1 : 0) });
      // A page in the background rests.
      if (document.hidden) await new Promise(requestAnimationFrame);
    }
  }

  /** Where the graphics card draws the maps, they come to the processor now and then, to be compared. */
  #isUnread() {
    const unread = drawnOnDevice(this.session.state) && performance.now() - this.#read < READ_EVERY;
    if (!unread) this.#read = performance.now();
    return unread;
  }

  /** What the camera saw is not kept. */
  stop() {
    this.#close();
    // Its address was given back when the camera took its place.
    this.session.look(this.#before && { ...this.#before, url: undefined });
  }

  #close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#video?.remove();
    this.#bar.hidden = true;
    this.#video = this.#stream = undefined;
  }

  /** Another picture was chosen. @param {PageState} state */
  show({ picture }) {
    this.#words();
    if (this.#video && picture && !picture.live && this.#rate.any) this.#close();
  }
}
