/** @file The page's words: a file a language for the first answer, and one for what comes after it. */
import english from '../language/en.page.js';

/** @typedef {string | { one?: string, other: string }} Phrase */

const first = { en: async () => english, zh: async () => (await import('../language/zh.page.js')).default };
const later = {
  en: async () => (await import('../language/en.explorer.js')).default,
  zh: async () => (await import('../language/zh.explorer.js')).default,
};

let words = english;
let plural = new Intl.PluralRules('en');
let complete = false;

/**
 * Makes a language the page's own.
 * @param {string} language a name that is unknown is English
 * @param {boolean} [explorer] whether the explorer's words are wanted too; from then on they always are
 */
export async function speak(language, explorer = complete) {
  complete = explorer;
  const name = Object.hasOwn(first, language) ? language : 'en';
  const files = await Promise.all([first[name](), ...(complete ? [later[name]()] : [])]);
  words = Object.assign({}, ...files);
  plural = new Intl.PluralRules(name);
  document.documentElement.lang = name;
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', text(element.dataset.label));
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
  const chosen = typeof phrase === 'string' ? phrase : (phrase[plural.select(values.n)] ?? phrase.other);
  return chosen.split(/\{(\w+)\}/).map((piece, i) => (i % 2 ? values[piece] : piece));
}

/** A phrase as a string. */
export const text = (key, values) => parts(key, values).join('');

/** A number with a minus sign instead of a hyphen. */
export const decimal = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits).replace('-', '−') : '–');
