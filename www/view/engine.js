/** @file Loading, and which engine answered how fast. */
import { byId, onChange } from './dom.js';
import { text } from './language.js';

export const engineNames = { wasm: 'WASM', webgpu: 'WebGPU' };
/** @typedef {import('../explorer/explorer.js').PageState} PageState */

/** @param {number} bytes */
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** What `load` is doing, in a few words. @param {PageState['progress']} progress */
function loading(progress) {
  if (!progress) return text('loading');
  if (progress.phase !== 'download') return text('warmingUp');
  const { loaded, total } = progress;
  const values = { loaded: megabytes(loaded), total: total && megabytes(total) };
  return text(total ? 'loadingOf' : 'loadingSome', values);
}

/** @returns {(state: PageState) => void} */
export function engineView() {
  const details = byId('engine', HTMLDetailsElement);
  addEventListener('click', ({ target }) => {
    if (!(target instanceof Node && details.contains(target))) details.open = false;
  });
  details.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    details.open = false;
    details.querySelector('summary')?.focus();
  });

  return onChange(
    (/** @type {PageState} */ now) => [now.progress, now.info, now.result, now.loadError, now.language],
    ({ progress, info, result, loadError }) => {
      const bar = byId('progress', HTMLProgressElement);
      bar.hidden = Boolean(info || loadError);
      if (progress?.total) bar.value = progress.loaded / progress.total;
      else bar.removeAttribute('value');
      byId('engine-badge').textContent = badge({ progress, info, result, loadError });
      details.classList.toggle('ready', Boolean(info));
    },
  );
}

/** @param {Pick<PageState, 'progress' | 'info' | 'result' | 'loadError'>} state */
function badge({ progress, info, result, loadError }) {
  if (loadError) return text('notLoadedBadge');
  if (!info) return loading(progress);
  const threads = info.threads > 1 ? ` × ${info.threads}` : '';
  const precision = info.precision && info.precision !== 'f32' ? ` ${info.precision}` : '';
  const name = engineNames[(result ?? info).backend] + threads + precision;
  return result ? `${name} · ${result.milliseconds.toFixed(1)} ms` : name;
}
