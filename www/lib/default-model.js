/** @file The model that `load()` takes and the page begins with: a file of `models/`. */
export const defaultModel = 'g_ghost_regnetx_006-imagenette.safetensors';
