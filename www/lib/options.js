/**
 * @file Options that are not known, and values as messages show them: never the input itself.
 */
import { GGhostError } from './errors.js';

/** What entries of the library tell each other beside the options of the user's. */
const INTERNAL = 'platform';

/** Longest piece of a text that a message shows. */
const SHOWN = 60;

/**
 * What something is, of whichever realm it comes (an iframe, a worker, jsdom): `'HTMLImageElement'`, `'Blob'`,
 * `'Array'`.
 * `instanceof` knows the classes of its own realm only.
 * @param {unknown} value
 */
export const brandOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

/** A value in a few words. @param {unknown} value */
export function shown(value) {
  if (typeof value === 'string') return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value !== 'object' || value === null) return String(value);
  const brand = brandOf(value);
  if (brand === 'Object') return 'an object';
  if (brand === 'Array') return `a list of ${/** @type {unknown[]} */ (value).length}`;
  return `${/^([AEIO]|HTML|SVG)/.test(brand) ? 'an' : 'a'} ${brand.slice(0, SHOWN)}`;
}

/**
 * @param {string} name of the option
 * @param {unknown} value
 * @param {unknown[]} known what it may be: values, or sentences that begin with a letter and have spaces
 */
export const badOption = (name, value, known) =>
  new GGhostError('bad-option', `${name} is ${shown(value)}, expected ${listed(known)}.`);

/** @param {unknown[]} known */
const listed = (known) => (known.length === 1 ? known[0] : `one of ${known.join(', ')}`);

/**
 * The value, if it is one of those that are known.
 * @template T
 * @param {string} name of the option
 * @param {unknown} value
 * @param {readonly T[]} values
 * @returns {T}
 */
export function known(name, value, values) {
  const found = /** @type {T} */ (value);
  if (!values.includes(found))
    throw badOption(
      name,
      value,
      values.map((value) => JSON.stringify(value)),
    );
  return found;
}

/**
 * An object of options with no names but these.
 * @template {object} T
 * @param {T | undefined} options
 * @param {string[] | undefined} names left out: any, for another function to look at
 * @param {string} of the function
 * @returns {Partial<T>} an empty object for nothing
 */
export function optionsOf(options, names, of) {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || brandOf(options) !== 'Object') {
    throw new GGhostError(
      'bad-option',
      `The options of ${of} are ${shown(options)}, expected an object${names ? `: { ${names[0]}: … }` : ''}.`,
    );
  }
  if (!names) return options;
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const offered = names.filter((one) => one !== INTERNAL);
    const nearest = nearestOf(name, offered);
    throw new GGhostError(
      'bad-option',
      `${of} has no option ${shown(name)}${nearest ? `: did you mean ${nearest}?` : '.'} It has ${offered.join(', ')}.`,
    );
  }
  return options;
}

/** The name that was probably meant, if any is near. @param {string} name @param {string[]} names */
export function nearestOf(name, names) {
  const plain = name.slice(0, SHOWN).toLowerCase();
  const distance = (/** @type {string} */ other) => {
    const to = other.toLowerCase();
    return plain.startsWith(to) || to.startsWith(plain) ? 1 : edits(plain, to);
  };
  const [nearest] = names.map((other) => ({ other, far: distance(other) })).sort((a, b) => a.far - b.far);
  return nearest?.far <= Math.max(2, plain.length / 3) ? nearest.other : undefined;
}

/** Letters to insert, remove or change. @param {string} a @param {string} b */
function edits(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1]));
    row = next;
  }
  return row[b.length];
}
