/**
 * @file PyTorch checkpoints: their tensors as a safetensors file that is put together from parts of the checkpoint
 * without reading them.
 */

/**
 * @param {Blob} file
 * @param {{ new (length: number, weights?: string): any }} PthReader of the module `pth`
 * @param {string} [weights] as the option of `load`
 * @returns {Promise<Blob>}
 */
export async function safetensorsOf(file, PthReader, weights) {
  const reader = new PthReader(file.size, weights);
  try {
    for (let ranges = reader.wanted(); ranges.length > 0; ranges = reader.wanted()) {
      const parts = await Promise.all(
        pairs(ranges).map(async ([begin, end]) => [begin, await bytesOf(file, begin, end)]),
      );
      for (const [begin, bytes] of parts) reader.add(begin, bytes);
    }
    const parts = [reader.header()];
    const places = reader.tensors();
    for (let i = 0; i < places.length; i += 3) {
      const [begin, end, contiguous] = places.slice(i, i + 3);
      parts.push(contiguous ? file.slice(begin, end) : reader.rowMajor(i / 3, await bytesOf(file, begin, end)));
    }
    return new Blob(parts);
  } finally {
    reader.free();
  }
}

/** @param {ArrayLike<number>} numbers */
const pairs = (numbers) => Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]);

/** @param {Blob} file @param {number} begin @param {number} end */
const bytesOf = async (file, begin, end) => new Uint8Array(await file.slice(begin, end).arrayBuffer());
