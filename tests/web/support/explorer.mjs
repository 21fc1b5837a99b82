// The page as a visitor meets it: what its tests do and ask. Call `explorerPages()` at a file's top.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before } from 'node:test';

import { launch } from '../../../tools/browser.mjs';
import { repository } from '../../../tools/serve.mjs';
import { serveSite } from './site.mjs';
import { PATIENCE, until } from './until.mjs';

export { until };

export const inRepository = (file) => path.join(repository, file);
export const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

const fakeCamera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

export let server;
/** The page of the test that runs. @type {ExplorerPage} */
export let page;
let browser;
/** Everything that the page complained about; each test expects nothing. */
let complaints = [];

export function explorerPages() {
  before(async () => {
    server = await serveSite();
    browser = await launch({ args: fakeCamera });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    await page?.context().close();
    page = undefined;
    assert.deepEqual(complaints.splice(0), [], 'the page complained in the console');
  });
}

/** Messages of a kind that a test provokes are none to complain about. */
export const expectComplaints = (words) => (complaints = complaints.filter((text) => !text.includes(words)));

/** A part of a test in a browser with WebGPU. */
export async function withWebgpu(work) {
  const gpu = await launch({ webgpu: true, args: fakeCamera });
  try {
    await work(gpu);
    await page?.context().close();
    page = undefined;
  } finally {
    await gpu.close();
  }
}

/** Notes in the page what workers are asked, and whether it was answered: `workerCalls`. */
export function noteCalls() {
  globalThis.workerCalls = [];
  const { postMessage, terminate } = Worker.prototype;
  Worker.prototype.terminate = function () {
    for (const call of globalThis.workerCalls) if (call.worker === this) call.answered = true;
    return terminate.call(this);
  };
  const heard = new WeakSet();
  Worker.prototype.postMessage = function (message, transfer = []) {
    if (message?.method) {
      const { taps, source, tensor } = message.argument ?? {};
      const buffers = Object.values(message.argument ?? {}).flatMap((value) => [value?.buffer, value?.data?.buffer]);
      const copied = buffers.filter((buffer) => buffer instanceof ArrayBuffer && !transfer.includes(buffer));
      const call = {
        id: message.id,
        worker: this,
        method: message.method,
        taps,
        run: message.method === 'run' && Boolean(source ?? tensor),
        copied: copied.length,
      };
      globalThis.workerCalls.push(call);
      if (!heard.has(this)) {
        heard.add(this);
        this.addEventListener('message', ({ data }) => {
          const found = globalThis.workerCalls.find((one) => one.worker === this && one.id === data.id);
          if (found) found.answered = true;
        });
      }
    }
    return postMessage.call(this, message, transfer);
  };
}

/**
 * Opens the page, and waits until everything about the shown picture is there. Where a test says nothing else, it is on
 * the third stage and the network's own side, whose numbers it knows.
 */
export async function open(asked = '', options = {}, { from = browser, url = server.url } = {}) {
  const context = await from.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', ...options });
  context.setDefaultTimeout(PATIENCE);
  await context.addInitScript(noteCalls);
  page = new ExplorerPage(await context.newPage());
  page.raw.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.raw.on('pageerror', (error) => complaints.push(error.message));
  const hash = new URLSearchParams({ stage: 'layer3', side: '192', ...Object.fromEntries(new URLSearchParams(asked)) });
  await page.raw.goto(`${url}#${hash}`);
  await page.find('#headline').waitFor();
  await page.compared();
  return page;
}

/** In the page: until the service worker has it. */
export async function untilControlled() {
  const { active } = await navigator.serviceWorker.ready;
  const changed = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
  while (active.state !== 'activated') await changed(active, 'statechange');
  while (!navigator.serviceWorker.controller) await changed(navigator.serviceWorker, 'controllerchange');
}

/** Until nothing that workers of a page were asked is open. @param {import('playwright-core').Page} raw */
export const untilIdle = (raw) =>
  until(() => raw.evaluate(() => globalThis.workerCalls.every(({ answered }) => answered)), 'all calls are answered');

class ExplorerPage {
  constructor(raw) {
    this.raw = raw;
  }

  context = () => this.raw.context();
  /** Selectors look through shadow roots. */
  find = (...selector) => this.raw.locator(...selector);
  click = async (selector) => {
    await this.#reveal(selector);
    await this.raw.click(selector);
  };
  press = (key) => this.raw.keyboard.press(key);
  select = async (selector, value) => {
    await this.#reveal(selector);
    await this.raw.selectOption(selector, value);
  };
  /** What is behind a button is brought to light. */
  #reveal = async (selector) => {
    if (/^#(sort|palette|scale|side)\b/.test(selector)) {
      await this.find('#settings').evaluate((settings) => (settings.open = true));
    } else if (/^#(language|theme|tour|share|export)\b/.test(selector)) {
      const hidden = await this.evaluate(() => !document.getElementById('tools').checkVisibility());
      if (hidden) await this.raw.click('#menu');
    }
  };
  textOf = (selector) => this.raw.textContent(selector);
  evaluate = (...args) => this.raw.evaluate(...args);

  /** What an element says of itself: `ask` runs in the page. */
  inView = (tag, ask, argument) => this.find(tag).evaluate(ask, argument);
  untilView = (tag, ask) => until(() => this.inView(tag, ask), `${tag}: ${ask}`);
  state = (name) => this.inView('gg-panel', ({ state }, name) => state[name], name);

  /** The control is there, and with it everything about the shown picture. */
  compared = () => this.find('#stage-note', { hasText: /By chance|Open another|随机水平/ }).waitFor();
  headline = (words) => this.find('#headline', { hasText: words }).waitFor();
  tab = async (name) => {
    await this.click(`#tab-${name}`);
    await this.find(`#tab-${name}[aria-selected="true"]`).waitFor();
  };
  stage = (name) => this.click(`#strip button[data-stage="${name}"]`);
  sample = (file) => this.click(`.samples button[data-file="${file}"]`);
  caption = (words) => this.find('#photo-caption', { hasText: words }).waitFor();
  cell = (side) => this.find(`#${side} [role="gridcell"]`);
  /** What a screen reader hears of the lit pair. */
  spoken = () => this.find('gg-panel > [role="status"], gg-panel p.hidden[role="status"]').last().textContent();

  /** What the address says, but for the side that each test has set. */
  address = async () => {
    const { side, ...said } = await this.evaluate(() =>
      Object.fromEntries(new URLSearchParams(location.hash.slice(1))),
    );
    return side === '192' ? said : { ...said, ...(side && { side }) };
  };
  addressSays = (name, value) => until(async () => ((await this.address())[name] ?? '') === value, `${name}=${value}`);

  /** Calls of a method of workers: what `noteCalls` noted. */
  calls = (method) =>
    this.evaluate(
      (method) =>
        globalThis.workerCalls.filter((call) => !method || call.method === method).map(({ worker, ...call }) => call),
      method,
    );
  /** Nothing that was asked is open. */
  idle = () => untilIdle(this.raw);

  /** All that moves has arrived. */
  still = () =>
    this.evaluate(async () => {
      await document.fonts.ready;
      await Promise.all(document.getAnimations().map(({ finished }) => finished.catch(() => {})));
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    });

  isWithinWidth = async () => {
    const { scrolled, width } = await this.evaluate(() => ({
      scrolled: document.documentElement.scrollWidth,
      width: innerWidth,
    }));
    assert.ok(scrolled <= width, `the page is ${scrolled} wide in a window of ${width}`);
  };

  async download(kind) {
    await this.click('#export summary');
    const [file] = await Promise.all([this.raw.waitForEvent('download'), this.click(`[data-export="${kind}"]`)]);
    return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
  }

  /** The library's own numbers for a photo: best matches of block n and of the control. */
  libraryNumbers = (photo, stage, control) => this.evaluate(bestMatches, [photo, stage, control]);
}

/** In the page, by plain loops. */
async function bestMatches([photo, stage, control]) {
  const { load } = await import('/lib/index.js');
  const net = await load({ backend: 'wasm' });
  const { blocks } = net.info.stages.find(({ name }) => name === stage);
  const taps = [blocks[0], blocks.at(-1)];
  const { maps } = await net.features(photo, { taps });
  const other = (await net.features(control, { taps: [taps[0]] })).maps;
  net.dispose();
  const centred = ({ data, dims: [count, h, w] }) =>
    Array.from({ length: count }, (_, c) => {
      const values = Array.from(data.subarray(c * h * w, (c + 1) * h * w));
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const less = values.map((value) => value - mean);
      const length = Math.sqrt(less.reduce((sum, value) => sum + value * value, 0));
      return { unit: length > 1e-5 * Math.abs(mean) ? less.map((value) => value / length) : undefined };
    });
  const matchOf = (y, xs) =>
    xs.reduce(
      (most, { unit: x }, match) => {
        const r = x ? y.reduce((sum, value, i) => sum + value * x[i], 0) : 0;
        return Math.abs(r) > Math.abs(most.r) ? { match, r } : most;
      },
      { match: -1, r: 0 },
    );
  const best = (ys, xs) => ys.map(({ unit: y }) => (y ? matchOf(y, xs) : { match: -1, r: 0 }));
  const last = centred(maps[taps[1]]);
  return { own: best(last, centred(maps[taps[0]])), chance: best(last, centred(other[taps[0]])) };
}
