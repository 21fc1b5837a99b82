import { useState } from 'react';
import { useClassification, useGGhostNet } from 'g-ghostnet/react';

export function Classifier() {
  const [file, setFile] = useState();
  const { net, progress, error: loadError } = useGGhostNet();
  const { result, pending, error } = useClassification(net, file);
  const failure = loadError ?? error;
  return (
    <>
      <input type="file" id="file" accept="image/*" onChange={({ target }) => setFile(target.files[0])} />
      <pre id="answer" aria-busy={pending}>
        {failure?.message ??
          result?.top.map(({ label, probability }) => `${label} ${probability.toFixed(4)}`).join('\n') ??
          (net ? `Ready: ${net.info.backend}` : `Loading ${progress?.phase ?? ''}`)}
      </pre>
    </>
  );
}
