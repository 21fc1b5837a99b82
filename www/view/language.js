/**
 * @file The page's words. A language is one file; its two parts are modules of their own once the page is built, so
 * that nobody waits for words that are not read yet.
 */
import { page as english } from '../language/en.js?page';

/** @typedef {string | { one?: string, other: string }} Phrase */

/** @typedef {Record<string, Phrase>} Words */

/** @type {Record<string, { page: () => Promise<Words>, explorer: () => Promise<Words> }>} */
const files = {
  en: {
    page: async () => english,
    explorer: async () => (await import('../language/en.js?explorer')).explorer,
  },
  zh: {
    page: async () => (await import('../language/zh.js?page')).page,
    explorer: async () => (await import('../language/zh.js?explorer')).explorer,
  },
};

/** @type {Words} */
let words = english;
let plural = pluralOf('en');
let complete = false;

/**
 * How a language counts; as English does where the browser's own language has a tag that is none.
 * @param {string} language
 * @returns {Pick<Intl.PluralRules, 'select'>}
 */
function pluralOf(language) {
  try {
    return new Intl.PluralRules(language);
  } catch {
    return { select: (n) => (n === 1 ? 'one' : 'other') };
  }
}

/**
 * Chooses the language of all words from now on.
 * @param {string} language a name that is unknown is English
 * @param {boolean} [explorer] whether the explorer's words are wanted too; from then on they always are
 * @returns {Promise<string>} its name
 */
export async function learn(language, explorer = complete) {
  complete = explorer;
  const name = Object.hasOwn(files, language) ? language : 'en';
  const { page, explorer: later } = files[name];
  words = Object.assign({}, ...(await Promise.all([page(), ...(complete ? [later()] : [])])));
  plural = pluralOf(name);
  return name;
}

/** Makes a language the page's own: see `learn`. @param {string} language @param {boolean} [explorer] */
export async function speak(language, explorer) {
  document.documentElement.lang = await learn(language, explorer);
  const all = (/** @type {string} */ name) =>
    /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-${name}]`));
  for (const element of all('text')) element.textContent = text(element.dataset.text ?? '');
  for (const element of all('label')) element.setAttribute('aria-label', text(element.dataset.label ?? ''));
  document.title = text('title');
}

/**
 * A phrase as a list, so that its `{places}` can hold elements too.
 * @param {string} key
 * @param {Record<string, unknown>} [values] `n` chooses between one and many
 * @returns {unknown[]}
 */
export function parts(key, values = {}) {
  const phrase = words[key];
  if (phrase === undefined) throw new Error(`there are no words for ${key}`);
  const one = typeof phrase !== 'string' && plural.select(Number(values.n)) === 'one' ? phrase.one : undefined;
  const chosen = typeof phrase === 'string' ? phrase : (one ?? phrase.other);
  return chosen.split(/\{(\w+)\}/).map((piece, i) => (i % 2 ? values[piece] : piece));
}

/** A phrase as a string. @param {string} key @param {Record<string, unknown>} [values] */
export const text = (key, values) => parts(key, values).join('');

/** A number with a minus sign instead of a hyphen. @param {number} value */
export const decimal = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits).replace('-', '−') : '–');
