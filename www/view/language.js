/** @file The page's words: all of them lie in one file a language. */
import en from '../language/en.js';

/** @typedef {string | { one: string, other: string }} Phrase */

export const languages = { en: 'English', zh: '中文' };

let words = en;
let plural = new Intl.PluralRules('en');

/** Makes a language the page's own. @param {string} language */
export async function speak(language) {
  words = language === 'zh' ? (await import('../language/zh.js')).default : en;
  plural = new Intl.PluralRules(language);
  document.documentElement.lang = language;
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
