/** @file Making elements. */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [properties] set as properties, or as attributes where there is no such property
 * @param {...(Node | string)} children
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) Object.assign(made, { [name]: value });
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * An element of the document, which has it.
 * @template {HTMLElement} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} [_kind] of which it is
 */
export const byId = (id, _kind) => /** @type {E} */ (document.getElementById(id));

/**
 * Calls `draw` when one of the listed values is another than last time.
 * @template S
 * @param {(state: S) => unknown[]} pick
 * @param {(state: S) => void} draw
 * @returns {(state: S) => void}
 */
export function onChange(pick, draw) {
  /** @type {unknown[]} */
  let last = [];
  return (state) => {
    const values = pick(state);
    if (values.length === last.length && values.every((value, i) => Object.is(value, last[i]))) return;
    last = values;
    draw(state);
  };
}
