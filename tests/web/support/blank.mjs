// A server, a browser and, for each test, a blank page on it with the library beside it: call `blankPages()` at a
// file's top. The browser is Chromium, or that of the variable ENGINE: WebKit or Firefox.
import { after, afterEach, before, beforeEach } from 'node:test';

import { launch } from '../../../tools/browser.mjs';
import { serveSite } from './site.mjs';
import { launchEngine, routing } from './webdriver.mjs';

export const engine = process.env.ENGINE || 'Chromium';
/** For a test that needs what only Chromium's tools give. */
export const chromiumOnly = engine === 'Chromium' ? {} : { skip: 'asks tools of Chromium’s' };
/** The fastest flavour that the engine takes: JavaScriptCore has no relaxed SIMD so far. */
export const fastest = engine === 'WebKit' ? 'fixed' : 'relaxed';

export let server;
export let browser;
/** The page of the test that runs. @type {import('playwright-core').Page} */
export let page;

/** @param {Parameters<typeof launch>[0]} [options] of the browser */
export function blankPages(options) {
  before(async () => {
    const { routes, intercept } = routing();
    server = await serveSite({ intercept });
    browser = engine === 'Chromium' ? await launch(options) : await launchEngine(engine, { routes });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    await page.goto(`${server.url}blank/`);
  });
  afterEach(() => page?.close());
}

/** A part of a test whose page is in a browser with WebGPU. */
export async function withWebgpu(work) {
  const other = await launch({ webgpu: true });
  const before = page;
  try {
    page = await other.newPage();
    await page.goto(`${server.url}blank/`);
    return await work();
  } finally {
    page = before;
    await other.close();
  }
}

/**
 * Runs a function in the page.
 * @param {(library: typeof import('../../../www/lib/index.js'), codeOf: (promise: Promise<unknown>) => Promise<string>, argument: any) => unknown} body
 *   `codeOf` is the code of the error that a promise is rejected with
 * @param {unknown} [argument]
 */
export const inPage = (body, argument) =>
  page.evaluate(
    async ([body, argument]) => {
      const library = await import('/lib/index.js');
      const codeOf = (promise) =>
        Promise.resolve(promise).then(
          () => 'no error',
          (error) => error.code ?? String(error),
        );
      // eslint-disable-next-line no-new-func -- a test's own body, carried into the page
      return new Function('library', 'codeOf', 'argument', `return (${body})(library, codeOf, argument)`)(
        library,
        codeOf,
        argument,
      );
    },
    [String(body), argument],
  );
