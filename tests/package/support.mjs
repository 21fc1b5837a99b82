// What the tests of the package share: fresh projects with the tarball, and pages that are given a photograph.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { promisify } from 'node:util';

import { launch } from '../../tools/browser.mjs';
import { repository, serve } from '../../tools/serve.mjs';
import { load } from '../../dist/site/lib/node.js';

export const run = promisify(execFile);
export const { version } = JSON.parse(await readFile(path.join(repository, 'www/lib/package.json'), 'utf8'));
const tarball = path.join(repository, `dist/g-ghostnet-${version}.tgz`);
export const cat = path.join(repository, 'www/samples/cat.jpg');
/** What the bundled model says of the cat in Node; tests/web/default.test.mjs holds it against PyTorch. */
export const golden = await load().then(async (net) => {
  const { top } = await net.classify(cat);
  net.dispose();
  return top;
});
/** A decoder's rounding may move values to the next of the 128 steps that integers know. */
const TOLERANCE = 0.02;

export let browser;
let base;
before(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'g-ghostnet-'));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await rm(base, { recursive: true, force: true });
});

/** A fresh project: a copy of an example, or the given files, with the tarball and more packages installed. */
export async function project(name, { example, files = {}, packages = [] }) {
  const folder = path.join(base, name);
  if (example) await cp(path.join(repository, 'examples', example), folder, { recursive: true });
  else await mkdir(folder);
  if (!example) await writeFile(path.join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, file), text);
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball, ...packages], { cwd: folder });
  return folder;
}

/** The first line of `#answer`, "label probability". */
export function assertAnswer(text) {
  const [, label, probability] = text.match(/^(.+?) (\d\.\d+)/) ?? assert.fail(text);
  assert.equal(label, golden[0].label);
  assert.ok(
    Math.abs(Number(probability) - golden[0].probability) <= TOLERANCE,
    `${probability}, in Node ${golden[0].probability}`,
  );
}

/** Serves a folder and opens its page, which may complain of nothing. */
export async function visit(folder, act, { policy } = {}) {
  const server = await serve(folder, { coi: false });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(60_000);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on(
    'console',
    (message) =>
      message.type() === 'error' && !message.location().url.endsWith('favicon.ico') && complaints.push(message.text()),
  );
  if (policy) {
    await page.route(/\/(\?.*)?$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'Content-Security-Policy': policy } });
    });
  }
  try {
    await page.goto(server.url);
    await act(page);
    assert.deepEqual(complaints, []);
  } catch (error) {
    error.message += ` (the page says: ${await page.textContent('body')}; console: ${complaints.join('; ')})`;
    throw error;
  } finally {
    await page.close();
    await server.close();
  }
}

/** Gives the cat to the file input of a folder's page and reads the answer. */
export const classifyOn = (folder, options) =>
  visit(
    folder,
    async (page) => {
      await page.waitForFunction(() => document.querySelector('#answer')?.textContent.startsWith('Ready'));
      await page.setInputFiles('#file', cat);
      await page.waitForFunction(() => !/^(Ready|Loading)/.test(document.querySelector('#answer').textContent));
      assertAnswer(await page.textContent('#answer'));
    },
    options,
  );

export const page = (script) =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><input type="file" id="file"><pre id="answer"></pre>${script}`;
export const main = `
  const answer = document.querySelector('#answer');
  const report = ({ top }) => { answer.textContent = top[0].label + ' ' + top[0].probability; };
  const fail = (error) => { answer.textContent = error.code + ': ' + error.message; };
`;
