import { GGhostError, load, type Progress } from 'g-ghostnet';
import { drawMaps } from 'g-ghostnet/draw';

const find = <T extends Element>(selector: string) => document.querySelector<T>(selector)!;
const answer = find<HTMLPreElement>('#answer');
const bar = find<HTMLProgressElement>('#progress');

const net = await load({
  onProgress: ({ loaded, total }: Progress) => (bar.value = total ? loaded / total : 0),
});
bar.hidden = true;
answer.textContent = `Ready: ${net.info.backend}`;

find<HTMLInputElement>('#file').addEventListener('change', async ({ currentTarget }) => {
  const [file] = (currentTarget as HTMLInputElement).files ?? [];
  if (!file) return;
  try {
    const { top, maps, stage } = await net.features(file, { stage: 3 });
    answer.textContent = top.map(({ label, probability }) => `${label} ${probability.toFixed(4)}`).join('\n');
    drawMaps(find<HTMLCanvasElement>('#maps'), maps[stage.last], { cell: 24, columns: 20, gap: 1 });
  } catch (error) {
    if (!(error instanceof GGhostError)) throw error;
    answer.textContent = error.message;
  }
});
