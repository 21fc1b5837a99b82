/** @file Loading, and which engine answered how fast. */
import { byId, element, onChange } from './dom.js';

const names = { wasm: 'WASM', webgpu: 'WebGPU' };
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const millions = (count) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} M`;

export function engineView() {
  return onChange(
    ({ progress, info, result, loadError }) => [progress, info, result, loadError],
    ({ progress, info, result, loadError }) => {
      const bar = byId('progress');
      bar.hidden = Boolean(info || loadError);
      if (progress?.total) bar.value = progress.loaded / progress.total;
      else bar.removeAttribute('value');
      byId('engine-badge').textContent = badge({ progress, info, result, loadError });
      byId('engine').classList.toggle('ready', Boolean(info));
      byId('engine-facts').replaceChildren(...(info ? facts(info, result) : []));
    },
  );
}

function badge({ progress, info, result, loadError }) {
  if (loadError) return 'Not loaded';
  if (info) return result ? `${names[result.backend]} · ${result.milliseconds.toFixed(1)} ms` : names[info.backend];
  if (progress?.phase === 'download') return progress.total ? `Loading ${megabytes(progress.loaded)} of ${megabytes(progress.total)}` : 'Loading';
  return 'Warming up';
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
