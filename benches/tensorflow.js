/**
 * @file TensorFlow.js as a peer: its WASM back end, on a graph written by export.py. It has no grouped convolution, so
 * one is a convolution for each group, of slices that are then concatenated.
 */
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/**
 * @param {string} url of NAME.graph.json, beside NAME.graph.bin
 * @param {number} threads of all graphs: what the first one says
 * @returns {Promise<(data: Float32Array, side: number) => Promise<Float32Array>>} `[3, side, side]` to logits
 */
export async function loadGraph(url, threads) {
  setThreadsCount(threads);
  setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/');
  await tf.setBackend('wasm');
  const { input, operations } = await (await fetch(url)).json();
  const numbers = new Float32Array(await (await fetch(url.replace(/json$/, 'bin'))).arrayBuffer());
  const tensor = ({ first, shape }) => tf.tensor(numbers.slice(first, first + shape.reduce((a, b) => a * b)), shape);
  const steps = operations.map((operation) => ({ ...operation, run: stepOf(operation, tensor) }));
  return async (data, side) => {
    const logits = tf.tidy(() => {
      const values = new Map([[input, tf.transpose(tf.tensor(data, [1, 3, side, side]), [0, 2, 3, 1])]]);
      for (const { inputs, output, run } of steps) values.set(output, run(...inputs.map((name) => values.get(name))));
      return values.get(steps.at(-1).output);
    });
    const answer = await logits.data();
    logits.dispose();
    return answer;
  };
}

function stepOf({ kind, filter, bias, stride, pad, groups, relu, keep, start, end }, tensor) {
  switch (kind) {
    case 'Conv': {
      const filters = tf.split(tensor(filter), groups, 3);
      const biases = tf.split(tensor(bias), groups);
      const activation = relu ? 'relu' : 'linear';
      const one = (x, group) =>
        tf.fused.conv2d({ x, filter: filters[group], strides: stride, pad, bias: biases[group], activation });
      return groups === 1 ? (x) => one(x, 0) : (x) => tf.concat(tf.split(x, groups, 3).map(one), 3);
    }
    case 'Relu':
      return tf.relu;
    case 'Add':
      return tf.add;
    case 'ReduceMean':
      return (x) => tf.mean(x, [1, 2], keep);
    case 'Slice':
      return (x) => tf.slice(x, [0, 0, 0, start], [-1, -1, -1, Math.min(end, x.shape[3]) - start]);
    case 'Concat':
      return (...parts) => tf.concat(parts, 3);
    case 'Gemm': {
      const [weights, addend] = [tensor(filter), tensor(bias)];
      return (x) => tf.add(tf.matMul(tf.reshape(x, [x.shape[0], -1]), weights), addend);
    }
    default:
      throw new Error(`no such operation was expected: ${kind}`);
  }
}
