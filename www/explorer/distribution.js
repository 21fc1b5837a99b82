/** @file How numbers are distributed. No document here. */
import { quantile } from '../lib/measures.js';

/** @param {ArrayLike<number>} values */
export const median = (values) => quantile(Float64Array.from(values).sort(), 0.5);

export const BINS = 25;

/** Shares of values in equal bins from 0 to 1. @param {number[]} values */
export function histogram(values) {
  const counts = new Float64Array(BINS);
  for (const value of values) counts[Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)))]++;
  return counts.map((count) => count / (values.length || 1));
}
