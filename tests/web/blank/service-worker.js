// Classifies what it is sent, in a service worker.
import { load } from '/lib/service-worker.js';

let net;
addEventListener('install', () => skipWaiting());
addEventListener('message', async ({ data: { options, input }, ports: [port] }) => {
  try {
    net ??= load(options);
    const { top } = await (await net).classify(input);
    const { flavour, worker, threadsReason } = (await net).info;
    port.postMessage({ top, flavour, worker, threadsReason });
  } catch ({ code, message }) {
    net = undefined;
    port.postMessage({ code, message });
  }
});
