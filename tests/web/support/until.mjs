// Waiting for what a test needs, instead of for a while.

/** Browsers without a GPU, and machines with other work. */
export const PATIENCE = 120_000;

/**
 * Asks until the answer is one.
 * @template T
 * @param {() => Promise<T | undefined>} ask
 * @param {string} what is waited for
 * @param {number} [patience] in milliseconds
 * @returns {Promise<T>}
 */
export async function until(ask, what, patience = PATIENCE) {
  for (const end = Date.now() + patience; ; await new Promise((resolve) => setTimeout(resolve, 30))) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patience / 1000} s: ${what}`);
  }
}
