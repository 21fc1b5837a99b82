/**
 * @file Checkpoints in the layout that engines read: safetensors files that are put together from parts of other files
 * without reading them.
 */

/** Where the bytes of a tensor are: in the file, there in another order, or in the module. */
const lies = { there: 0, strided: 1, here: 2 };

/**
 * @param {Blob} file a checkpoint of any format
 * @param {{ new (length: number, variant?: string, weights?: string): any }} CheckpointReader of the module `reader`
 * @param {{ variant?: string, weights?: string }} options as those of `load`
 * @returns {Promise<{ model: Blob, origin: { weights: string, leftOut: { name: string, reason: string }[] } }>}
 */
export async function ownLayoutOf(file, CheckpointReader, { variant, weights }) {
  const reader = new CheckpointReader(file.size, variant, weights);
  let made;
  try {
    for (let ranges = reader.wanted(); ranges.length > 0; ranges = reader.wanted()) {
      const parts = await Promise.all(
        pairs(ranges).map(async ([begin, end]) => [begin, await bytesOf(file, begin, end)]),
      );
      for (const [begin, bytes] of parts) reader.add(begin, bytes);
    }
    made = reader.takeMade();
    return { model: await fileOf(made, file), origin: JSON.parse(made.origin()) };
  } finally {
    made?.free();
    reader.free();
  }
}

/**
 * The file of a model that a module has made.
 * @param {any} made
 * @param {Blob} original that it was made of
 */
export async function fileOf(made, original) {
  const parts = [made.takeHeader()];
  const places = made.places();
  for (let i = 0; i < places.length; i += 3) {
    const [begin, end, where] = places.slice(i, i + 3);
    if (where === lies.here) parts.push(made.bytes(begin, end));
    else if (where === lies.there) parts.push(original.slice(begin, end));
    else parts.push(made.rowMajor(i / 3, await bytesOf(original, begin, end)));
  }
  return new Blob(parts);
}

/** @param {ArrayLike<number>} numbers */
const pairs = (numbers) => Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]);

/** @param {Blob} file @param {number} begin @param {number} end */
const bytesOf = async (file, begin, end) => new Uint8Array(await file.slice(begin, end).arrayBuffer());
