/** @file Loading, and which engine answered how fast. */
import { byId, element, onChange } from './dom.js';

const names = { wasm: 'WASM', webgpu: 'WebGPU' };
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const millions = (count) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} M`;

/** What `load` is doing, in a few words. */
function loading(progress) {
  if (!progress || progress.phase !== 'download') return progress ? 'Warming up …' : 'Loading …';
  const { loaded, total } = progress;
  return total ? `Loading ${megabytes(loaded)} of ${megabytes(total)}` : `Loading ${megabytes(loaded)}`;
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
    ({ progress, info, result, loadError }) => [progress, info, result, loadError],
    ({ progress, info, result, loadError }) => {
      const bar = byId('progress');
      bar.hidden = Boolean(info || loadError);
      if (progress?.total) bar.value = progress.loaded / progress.total;
      else bar.removeAttribute('value');
      byId('engine-badge').textContent = badge({ progress, info, result, loadError });
      details.classList.toggle('ready', Boolean(info));
      byId('engine-facts').replaceChildren(...(info ? facts(info, result) : []));
    },
  );
}

function badge({ progress, info, result, loadError }) {
  if (loadError) return 'Not loaded';
  if (!info) return loading(progress);
  return result ? `${names[result.backend]} · ${result.milliseconds.toFixed(1)} ms` : names[info.backend];
}

function facts(info, result) {
  const { timings, backendReason = info.backendReason } = result ?? {};
  const rows = {
    Engine: `${names[result?.backend ?? info.backend]}${info.worker ? ', in a worker' : ''}`,
    Why: backendReason,
    Adapter: info.adapter,
    Network: timings && `${timings.forward.toFixed(1)} ms`,
    'Reading the picture': timings && `${(timings.decode + timings.preprocess).toFixed(1)} ms`,
    Model: `${info.variant}, ${info.labels.length} classes, ${info.input.side} × ${info.input.side} pixels`,
    Parameters: millions(info.params),
    Multiplications: millions(info.macs),
    Memory: megabytes(info.memoryBytes),
  };
  return Object.entries(rows)
    .filter(([, value]) => value)
    .flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]);
}
