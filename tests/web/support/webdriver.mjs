/**
 * @file Browsers of other engines than Chromium's, by the commands of W3C WebDriver: WebKit through its driver, over
 * HTTP; Firefox through the socket that its driver would talk to (Marionette), so that none is needed. A page has the
 * part of Playwright's interface that tests of every engine use.
 */
import { spawn } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { repository } from '../../../tools/serve.mjs';
import { PATIENCE, until } from './until.mjs';

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts a program; `end` ends it and waits until it is gone. */
function start(program, args, options) {
  const child = spawn(program, args, { stdio: 'ignore', ...options });
  const gone = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  const failed = new Promise((_, reject) => {
    child.once('error', (error) => reject(new Error(`${program} could not be started: ${error.message}`)));
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
  });
  failed.catch(() => {});
  return {
    child,
    failed,
    end: () => (child.kill(), Promise.race([gone, sleep(5000).then(() => child.kill('SIGKILL'))])),
  };
}

/** The commands that are used: of WebDriver's path below the session and, for Marionette, their names. */
const commands = {
  navigate: { path: 'url', name: 'WebDriver:Navigate' },
  reload: { path: 'refresh', name: 'WebDriver:Refresh' },
  execute: { path: 'execute/async', name: 'WebDriver:ExecuteAsyncScript' },
  timeouts: { path: 'timeouts', name: 'WebDriver:SetTimeouts' },
  actions: { path: 'actions', name: 'WebDriver:PerformActions' },
  click: { path: ({ id }) => `element/${id}/click`, name: 'WebDriver:ElementClick' },
  type: { path: ({ id }) => `element/${id}/value`, name: 'WebDriver:ElementSendKeys' },
};

/** A display of its own for a program; `number` is what the program is to be told. */
function startDisplay() {
  const display = start('Xvfb', ['-displayfd', '3', '-screen', '0', '1440x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const told = new Promise((resolve) => display.child.stdio[3].once('data', (data) => resolve(String(data).trim())));
  return { number: Promise.race([told, display.failed]), end: display.end };
}

/** A driver's commands over HTTP. */
function askingAt(port) {
  return async (method, address, body) => {
    const response = await fetch(`http://127.0.0.1:${port}/${address}`, {
      method,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(2 * PATIENCE),
    });
    const { value } = await response.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
}

/** WebKit: Debian's webkit2gtk-driver, on a display of its own. `env` are variables of the browser's. */
async function startWebKit(env) {
  const display = startDisplay();
  const port = await freePort();
  const driver = start('WebKitWebDriver', [`--port=${port}`], {
    env: {
      ...process.env,
      DISPLAY: `:${await display.number}`,
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', // which needs rights that a container has not
      LANG: 'en_US.UTF-8',
      LC_ALL: undefined,
      LOCPATH: path.join(repository, '.tools/locale'),
      ...env,
    },
  });
  const ask = askingAt(port);
  const end = async () => {
    await driver.end();
    await display.end();
  };
  try {
    await until(
      () => Promise.race([ask('GET', 'status').catch(() => undefined), driver.failed]),
      'the driver is ready',
    );
    const options = { binary: await miniBrowser(), args: ['--automation'] };
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } };
    const session = await ask('POST', 'session', { capabilities });
    const address = `session/${session.sessionId}`;
    return {
      version: session.capabilities.browserVersion,
      send: (command, parameters = {}) => {
        const { path } = commands[command];
        return ask('POST', `${address}/${path.call ? path(parameters) : path}`, parameters);
      },
      end: async () => {
        await ask('DELETE', address).catch(() => {});
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The browser that comes with the library; its folder has the machine's kind and the library's version in its name. */
async function miniBrowser() {
  if (process.env.MINIBROWSER) return process.env.MINIBROWSER;
  const kind = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  for (const version of ['4.1', '6.0', '4.0']) {
    const file = `/usr/lib/${kind}-linux-gnu/webkit2gtk-${version}/MiniBrowser`;
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  throw new Error('WebKit’s MiniBrowser was not found: set MINIBROWSER to its path');
}

/** Firefox, without a window. A message of Marionette is its length, a colon and JSON. */
async function startFirefox(env) {
  const folder = await mkdtemp(path.join(tmpdir(), 'firefox-'));
  await writeFile(path.join(folder, 'user.js'), 'user_pref("marionette.port", 0);\n');
  const firefox = start(
    process.env.FIREFOX ?? 'firefox-esr',
    ['--headless', '--marionette', '--no-remote', '--profile', folder],
    { env: { ...process.env, HOME: folder, ...env } },
  );
  const end = async () => {
    await firefox.end();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    const portFile = path.join(folder, 'MarionetteActivePort');
    const port = await until(
      () => Promise.race([readFile(portFile, 'utf8').catch(() => undefined), firefox.failed]),
      'Firefox listens',
    );
    const socket = net.connect(Number(port), '127.0.0.1');
    const { ask } = await marionette(socket);
    const { capabilities } = await ask('WebDriver:NewSession', {});
    return {
      version: capabilities.browserVersion,
      send: async (command, parameters = {}) => (await ask(commands[command].name, parameters))?.value,
      end: async () => {
        socket.destroy();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** @param {net.Socket} socket */
async function marionette(socket) {
  const waiting = new Map();
  let received = Buffer.alloc(0);
  const greeting = new Promise((resolve, reject) => {
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      for (;;) {
        const colon = received.indexOf(':');
        const size = Number(received.subarray(0, Math.max(colon, 0)));
        if (colon < 0 || received.length < colon + 1 + size) return;
        const message = JSON.parse(received.subarray(colon + 1, colon + 1 + size));
        received = received.subarray(colon + 1 + size);
        if (Array.isArray(message)) waiting.get(message[1])?.(message);
        else resolve(message);
      }
    });
    socket.once('error', reject);
  });
  await greeting;
  let count = 0;
  const ask = async (name, parameters) => {
    const id = ++count;
    const answer = new Promise((resolve) => waiting.set(id, resolve));
    const message = JSON.stringify([0, id, name, parameters]);
    socket.write(`${Buffer.byteLength(message)}:${message}`);
    const [, , error, result] = await answer;
    waiting.delete(id);
    if (error) throw new Error(`${error.error}: ${error.message}`);
    return result;
  };
  return { ask };
}

// What JSON has no words for, here and in the page: undefined, numbers that are none, and typed arrays.
const isElement = (value) => typeof Element === 'function' && value instanceof Element;
function pack(value) {
  if (value === undefined || typeof value === 'function') return { $: 'undefined' };
  if (Object.is(value, -0)) return { $: 'number', value: '-0' };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $: 'number', value: String(value) };
  if (ArrayBuffer.isView(value)) return { $: value.constructor.name, value: Array.from(value, pack) };
  if (Array.isArray(value)) return value.map(pack);
  if (isElement(value) || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, pack(one)]));
}
function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (isElement(value) || typeof value !== 'object' || value === null) return value;
  if (value.$ === 'undefined') return undefined;
  if (value.$ === 'number') return Number(value.value);
  if (value.$) return globalThis[value.$].from(value.value.map(unpack));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unpack(one)]));
}

/** Runs a function's source in the page; what it throws is thrown here. */
const script = (source) => `
  const isElement = ${isElement};
  ${pack}
  ${unpack}
  const [argument, done] = arguments;
  (async () => (${source})(unpack(argument)))().then(
    (value) => done({ value: pack(value) }),
    (error) => done({ error: String(error?.stack?.includes(error?.message) ? error.stack : error) }),
  );`;

/** In the page: the first element that a selector names, in shadow roots too; ` >> ` leads from one into another. */
function find(selector) {
  const within = (root, part) => {
    const roots = root.shadowRoot ? [root, root.shadowRoot] : [root];
    for (const root of roots) {
      const found = root.querySelector(part);
      if (found) return found;
      for (const { shadowRoot } of root.querySelectorAll('*')) if (shadowRoot) roots.push(shadowRoot);
    }
    return null;
  };
  return selector.split(' >> ').reduce((root, part) => root && within(root, part), document);
}

/** WebDriver's name for an element. */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';
const keys = {
  Escape: '\uE00C',
  Enter: '\uE007',
  Home: '\uE011',
  End: '\uE010',
  ArrowRight: '\uE014',
  Control: '\uE009',
};

/** The window of a session; its addresses are the server's whose `routes` these are. */
class Page {
  #session;
  #routes;
  #files;
  constructor(session, routes) {
    this.#session = session;
    this.#routes = routes;
  }

  goto = (url) => this.#session.send('navigate', { url });
  reload = () => this.#session.send('reload');

  async evaluate(body, argument) {
    const { value, error } = await this.#session.send('execute', { script: script(body), args: [pack(argument)] });
    if (error !== undefined) throw new Error(error);
    return unpack(value);
  }

  title = () => this.evaluate(() => document.title);
  waitForFunction = (body, argument) => until(() => this.evaluate(body, argument), String(body));

  /** The element that a selector names, once it is there and shown. */
  async #element(selector) {
    const shown = `(selector) => { const found = (${find})(selector); return found?.checkVisibility() ? found : null; }`;
    const found = await until(() => this.evaluate(shown, selector), `${selector} is shown`);
    return found[ELEMENT];
  }

  click = async (selector) => this.#session.send('click', { id: await this.#element(selector) });
  textContent = (selector) => this.evaluate(`(selector) => (${find})(selector)?.textContent`, selector);

  async setInputFiles(selector, { name, buffer }) {
    this.#files ??= await mkdtemp(path.join(tmpdir(), 'chosen-'));
    const file = path.join(this.#files, name);
    await writeFile(file, buffer);
    const found = await this.evaluate(`(selector) => (${find})(selector)`, selector);
    await this.#session.send('type', { id: found[ELEMENT], text: file });
  }

  keyboard = {
    press: (combination) => {
      const pressed = combination.split('+').map((key) => keys[key] ?? key);
      const actions = [
        ...pressed.map((value) => ({ type: 'keyDown', value })),
        ...pressed.toReversed().map((value) => ({ type: 'keyUp', value })),
      ];
      return this.#session.send('actions', { actions: [{ type: 'key', id: 'keys', actions }] });
    },
  };

  route = async (glob, handle) => void this.#routes.unshift({ glob, handle });
  unroute = async (glob) =>
    void this.#routes.splice(0, Infinity, ...this.#routes.filter((route) => route.glob !== glob));

  /** Of events there is one: `request`. */
  on = (_, listen) => void this.#routes.listeners.add(listen);
  setContent = (html) => this.evaluate((html) => void (document.body.innerHTML = html), html);
  waitForSelector = (selector) => this.#element(selector);

  async close() {
    this.#routes.length = 0;
    this.#routes.listeners.clear();
    await this.#session.send('navigate', { url: 'about:blank' });
    if (this.#files) await rm(this.#files, { recursive: true });
  }
}

/**
 * A request of the page's, for the handlers of `page.route`.
 * @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response
 * @param {string} origin
 */
function routeOf(request, response, origin) {
  const url = new URL(request.url, origin).href;
  const fetched = (again) => ({
    headers: () => Object.fromEntries(again.headers),
    text: () => again.clone().text(),
    body: async () => Buffer.from(await again.arrayBuffer()),
  });
  return {
    request: () => ({ url: () => url, method: () => request.method }),
    fetch: async () => fetched(await fetch(url, { method: request.method, headers: { [UNROUTED]: '1' } })),
    async fulfill({ status = 200, headers, contentType, body, path: file, response: original }) {
      const {
        'content-length': _,
        'content-encoding': __,
        ...kept
      } = Object.fromEntries(
        Object.entries(headers ?? original?.headers() ?? {}).map(([k, v]) => [k.toLowerCase(), v]),
      );
      if (contentType) kept['content-type'] = contentType;
      response.writeHead(status, kept).end(file ? await readFile(file) : (body ?? (await original?.body())));
    },
    abort: async () => void response.destroy(),
  };
}

/** With it a request goes past the routes. */
const UNROUTED = 'x-unrouted';

/** What `serve` asks first: whether a route of the page's answers. */
export function routing() {
  const routes = Object.assign([], { listeners: new Set() });
  const intercept = async (request, response) => {
    if (request.headers[UNROUTED]) return false;
    const origin = `http://${request.headers.host}`;
    for (const listen of routes.listeners) listen({ url: () => new URL(request.url, origin).href });
    const found = routes.find(({ glob }) => matchesGlob(new URL(request.url, origin).href, glob));
    await found?.handle(routeOf(request, response, origin));
    return Boolean(found);
  };
  return { routes, intercept };
}

/** As Playwright reads a pattern of addresses, as far as the tests use it. */
function matchesGlob(url, glob) {
  const pattern = glob
    .replace(/[.?+^$()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*/g, (stars) => (stars === '*' ? '[^/]*' : '.*'));
  return new RegExp(`^${pattern}$`).test(url);
}

const engines = { WebKit: startWebKit, Firefox: startFirefox };

/**
 * Starts a browser without a window that can be seen.
 * @param {keyof typeof engines} engine
 * @param {{ env?: Record<string, string>, routes?: object[] }} [options] `env`: variables of the browser's;
 *   `routes`: those of the server that its pages are on
 */
export async function launchEngine(engine, { env = {}, routes = routing().routes } = {}) {
  const session = await engines[engine](env);
  await session.send('timeouts', { script: 5 * PATIENCE, pageLoad: PATIENCE });
  return {
    version: () => session.version,
    newPage: async () => new Page(session, routes),
    close: session.end,
  };
}
