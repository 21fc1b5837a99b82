/** @file Whether a visitor's file is a model. */
import { isModel, kindOf } from '../lib/kind.js';

const MODEL_NAMES = /\.(safetensors|pth|pt|ckpt|tar|bin|pyth|pkl|onnx|h5|keras|tflite)$/i;

/**
 * By its first bytes: training scripts name theirs as they like. What only has a model's name and is no picture is one
 * too, so that `load` says what it is instead.
 * @param {Blob} file
 * @param {string} [name]
 */
export async function holdsModel(file, name = '') {
  const head = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  return isModel(head) || (MODEL_NAMES.test(name) && !kindOf(head).picture);
}
