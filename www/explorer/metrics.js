/** @file How alike maps are. */
export async function openMetrics() {
  return {
    correlate: async (a, b, { metric = 'pearson' } = {}) => correlate(a, b, metric),
    control: async (a, b, { seed = 1, metric = 'pearson' } = {}) => correlate(a, shuffled(b, seed), metric),
  };
}

function unit({ data, dims: [channels, height, width] }, metric) {
  const size = height * width;
  const scaled = new Float32Array(data.length);
  const dead = [];
  for (let c = 0; c < channels; c++) {
    let mean = 0;
    for (let i = 0; i < size; i++) mean += data[c * size + i];
    mean /= size;
    const centre = metric === 'pearson' ? mean : 0;
    let squares = 0;
    for (let i = 0; i < size; i++) squares += (data[c * size + i] - centre) ** 2;
    if (squares <= size * (mean * 1e-6) ** 2) {
      dead.push(c);
      continue;
    }
    const scale = 1 / Math.sqrt(squares);
    for (let i = 0; i < size; i++) scaled[c * size + i] = (data[c * size + i] - centre) * scale;
  }
  return { scaled, dead, channels, size };
}

function correlate(a, b, metric) {
  const [u, v] = [unit(a, metric), unit(b, metric)];
  const { size } = u;
  const matrix = new Float32Array(u.channels * v.channels);
  const best = (n) => ({ match: new Int32Array(n).fill(-1), score: new Float32Array(n) });
  const [bestOfA, bestOfB] = [best(u.channels), best(v.channels)];
  for (let i = 0; i < u.channels; i++) {
    for (let j = 0; j < v.channels; j++) {
      let dot = 0;
      for (let k = 0; k < size; k++) dot += u.scaled[i * size + k] * v.scaled[j * size + k];
      matrix[i * v.channels + j] = dot;
      if (Math.abs(dot) > Math.abs(bestOfA.score[i])) [bestOfA.score[i], bestOfA.match[i]] = [dot, j];
      if (Math.abs(dot) > Math.abs(bestOfB.score[j])) [bestOfB.score[j], bestOfB.match[j]] = [dot, i];
    }
  }
  return { matrix, dims: [u.channels, v.channels], bestOfA, bestOfB, deadA: u.dead, deadB: v.dead };
}

function shuffled({ data, dims }, seed) {
  const size = dims[1] * dims[2];
  const order = Array.from({ length: size }, (_, i) => i);
  let state = seed >>> 0 || 1;
  for (let i = size - 1; i > 0; i--) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return { data: data.map((_, i) => data[i - (i % size) + order[i % size]]), dims };
}
