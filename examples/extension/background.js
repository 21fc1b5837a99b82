// npm install, then "Load unpacked" with this folder: the menu of every picture has one entry more, and the answer is the
// title of the extension's button.
import { load } from './node_modules/g-ghostnet/lib/service-worker.js';

/** Loaded for the first picture, and again after the browser has stopped this worker. */
let net;

async function wordsFor(address) {
  try {
    net ??= load({ backend: 'wasm' });
    const { top } = await (await net).classify(address, { topK: 3 });
    return top.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(0)} %`).join('\n');
  } catch (error) {
    if (error.code !== 'bad-image') net = undefined;
    return error.message;
  }
}

chrome.runtime.onInstalled.addListener(() => {
  chrome.contextMenus.create({ id: 'classify', title: 'What is in this picture?', contexts: ['image'] });
});

chrome.contextMenus.onClicked.addListener(async ({ srcUrl }, tab) => {
  const tabId = tab?.id;
  await chrome.action.setBadgeText({ text: '…', tabId });
  await chrome.action.setTitle({ title: await wordsFor(srcUrl), tabId });
  await chrome.action.setBadgeText({ text: '!', tabId });
});
