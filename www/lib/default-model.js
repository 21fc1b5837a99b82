/** @file The model that `load()` takes and the page begins with: a file of `models/`. */
import { own } from './place.js';

export const defaultModel = 'g_ghost_regnetx_008-imagenet-int8.safetensors';

/** Whether it is computed in integers: the engine with them is fetched beside it then. */
export const defaultIntegers = defaultModel.includes('-int8.');

/** The name once more: bundlers take along only the files whose address is written out in this form. */
export const defaultModelUrl = () =>
  own(new URL('../models/g_ghost_regnetx_008-imagenet-int8.safetensors', import.meta.url)).href;
