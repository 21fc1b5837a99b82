/**
 * @file Comparing feature maps in the realm this is loaded in, with the part `similarity`.
 */
import { asError } from './errors.js';
import { parts } from './flavours.js';
import { startPart } from './module.js';

/** @param {{ fetch?: typeof globalThis.fetch }} hooks */
export function similarityMethods({ fetch }) {
  let glue;
  const accumulators = new Map();

  const accumulatorOf = (id) => {
    if (!accumulators.has(id)) accumulators.set(id, { sums: new glue.Accumulator(), channels: 0, fitted: 0 });
    return accumulators.get(id);
  };

  const correlate = ({ a, b, metric }) => {
    const matches = glue.correlate(a.data, a.dims, b.data, b.dims, metric === 'cosine');
    const best = (ofB) => ({ match: matches.matches(ofB), score: matches.scores(ofB) });
    const result = {
      matrix: matches.matrix(),
      dims: [a.dims[0], b.dims[0]],
      bestOfA: best(false),
      bestOfB: best(true),
      deadA: matches.dead(false),
      deadB: matches.dead(true),
    };
    matches.free();
    return result;
  };

  const methods = {
    async open({ wasmUrl }) {
      glue = await startPart(parts.similarity, wasmUrl, { fetch });
    },
    correlate,
    shuffle: ({ data, dims, seed }) => ({ data: glue.shuffled(data, dims, seed), dims }),
    control: ({ a, b, seed, metric }) => correlate({ a, b: methods.shuffle({ ...b, seed }), metric }),
    order({ matrix, dims: [rows, columns] }) {
      const order = glue.order(matrix, rows, columns);
      return { rows: order.slice(0, rows), columns: order.slice(rows) };
    },
    add({ id, x, y, heldOut }) {
      const accumulator = accumulatorOf(id);
      accumulator.sums.add(x.data, x.dims, y.data, y.dims, heldOut);
      const [channels, height, width] = x.dims;
      accumulator.channels = channels;
      if (!heldOut) accumulator.fitted += height * width;
    },
    result({ id, fit, ridge }) {
      const { sums, channels, fitted } = accumulatorOf(id);
      // The fewer samples there are for each coefficient, the more they shrink.
      const summary = sums.summary(fit ? ridge ?? channels / Math.max(1, fitted) : undefined);
      const result = read(summary);
      summary.free();
      return result;
    },
    forget({ id }) {
      accumulators.get(id)?.sums.free();
      accumulators.delete(id);
    },
  };
  const guarded = Object.entries(methods).map(([name, method]) => [
    name,
    async (argument) => {
      try {
        return await method(argument);
      } catch (error) {
        throw asError(error);
      }
    },
  ]);
  return { ...Object.fromEntries(guarded), close() {} };
}

function read(summary) {
  const [images, positions, fittedPositions, ...channels] = summary.counts();
  const best = (cosine) => ({ best: summary.scores(cosine), match: summary.matches(cosine) });
  const [perChannel, weight] = [summary.rSquared(), summary.weight()];
  const few = { matches: summary.few('matches'), r2: summary.few('r2'), cka: summary.few('cka') };
  const reason = Object.values(few).filter(Boolean).join(' ');
  return {
    images,
    positions,
    channels,
    pearson: best(false),
    cosine: best(true),
    dead: { x: summary.dead(false), y: summary.dead(true) },
    chance: summary.chance(),
    ...(perChannel && { r2: heldOut(summary, perChannel, fittedPositions, positions - fittedPositions) }),
    ...(weight && { fit: { weight, bias: summary.bias() } }),
    cka: summary.cka(),
    few,
    sufficient: !reason,
    ...(reason && { reason }),
  };
}

function heldOut(summary, perChannel, fittedPositions, scoredPositions) {
  const [mean, median] = summary.rSquaredOverAll();
  return { perChannel, mean, median, dead: summary.deadHeld(), fittedPositions, scoredPositions };
}
