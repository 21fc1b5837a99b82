// Finds Chromium and starts it without a window, for tests and for the command line.
//   node tools/browser.mjs path        prints the program's path
//   node tools/browser.mjs webdriver   prints the capabilities for wasm-bindgen-test-runner
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];
const places = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of Chromium or Chrome: the variable CHROMIUM, else the first found in PATH or in its usual place. */
export function findChromium() {
  const chosen = process.env.CHROMIUM;
  if (chosen) {
    if (isProgram(chosen)) return chosen;
    throw new Error(`CHROMIUM is set to ${chosen}, which is not a program: set it to the path of Chromium or Chrome`);
  }
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const candidates = [...folders.flatMap((folder) => names.map((name) => path.join(folder, name))), ...places];
  const found = candidates.find(isProgram);
  if (!found) {
    throw new Error('no Chromium or Chrome was found: install one, or set CHROMIUM to its path');
  }
  return found;
}

const quiet = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
// SwiftShader, a GPU in software: the same on every machine, and canvases drawn by WebGPU show in screenshots.
const softwareGpu = [
  '--enable-unsafe-webgpu',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
];
const hardwareGpu = [
  '--enable-unsafe-webgpu',
  '--ignore-gpu-blocklist',
  '--enable-features=Vulkan',
  '--use-angle=vulkan',
];

/** `webgpu`: false (the page finds no adapter), true (software, the same everywhere) or 'hardware'. */
export function chromiumArguments({ webgpu = false } = {}) {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // Chromium refuses root with one
  const gpu = webgpu === 'hardware' ? hardwareGpu : webgpu ? softwareGpu : [];
  return [...sandbox, ...quiet, ...gpu];
}

/**
 * Starts Chromium without a window.
 * @param {{ webgpu?: boolean | 'hardware', args?: string[], headless?: boolean }} options
 * @returns {Promise<import('playwright-core').Browser>}
 */
export async function launch({ webgpu = false, args = [], headless = true } = {}) {
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: findChromium(),
    headless,
    args: [...chromiumArguments({ webgpu }), ...args],
  });
}

function webdriver() {
  return {
    'goog:chromeOptions': {
      binary: findChromium(),
      args: ['--headless=new', ...chromiumArguments({ webgpu: true })],
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const commands = { path: findChromium, webdriver: () => JSON.stringify(webdriver(), null, 2) };
  const command = commands[process.argv[2]];
  try {
    if (!command) throw new Error(`expected one of: ${Object.keys(commands).join(', ')}`);
    console.log(command());
  } catch (error) {
    console.error(`browser: ${error.message}`);
    process.exitCode = 1;
  }
}
