// The main entry, where it cannot work.
import { load } from '/lib/index.js';

addEventListener('install', () => skipWaiting());
addEventListener('message', ({ ports: [port] }) =>
  load({ backend: 'wasm' }).then(
    () => port.postMessage({}),
    ({ code, message }) => port.postMessage({ code, message }),
  ),
);
