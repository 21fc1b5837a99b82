/** @file Loading, and which engine answered how fast. */
import { byId, onChange } from './dom.js';
import { text } from './language.js';

export const engineNames = { wasm: 'WASM', webgpu: 'WebGPU' };
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** What `load` is doing, in a few words. */
function loading(progress) {
  if (!progress) return text('loading');
  if (progress.phase !== 'download') return text('warmingUp');
  const { loaded, total } = progress;
  return text(total ? 'loadingOf' : 'loadingSome', { loaded: megabytes(loaded), total: total && megabytes(total) });
}

export function engineView() {
  const details = byId('engine');
  addEventListener('click', ({ target }) => details.contains(target) || (details.open = false));
  details.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    details.open = false;
    details.querySelector('summary').focus();
  });

  return onChange(
    ({ progress, info, result, loadError, language }) => [progress, info, result, loadError, language],
    ({ progress, info, result, loadError }) => {
      const bar = byId('progress');
      bar.hidden = Boolean(info || loadError);
      if (progress?.total) bar.value = progress.loaded / progress.total;
      else bar.removeAttribute('value');
      byId('engine-badge').textContent = badge({ progress, info, result, loadError });
      details.classList.toggle('ready', Boolean(info));
    },
  );
}

function badge({ progress, info, result, loadError }) {
  if (loadError) return text('notLoadedBadge');
  if (!info) return loading(progress);
  const name = engineNames[(result ?? info).backend] + (info.threads > 1 ? ` × ${info.threads}` : '') + (info.precision && info.precision !== 'f32' ? ` ${info.precision}` : '');
  return result ? `${name} · ${result.milliseconds.toFixed(1)} ms` : name;
}
