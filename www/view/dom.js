/** @file Making elements. */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] set as properties, or as attributes where there is no such property
 * @param {...(Node | string)} children
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** @param {string} id */
export const byId = (id) => document.getElementById(id);

/** Calls `draw` when one of the listed values is another than last time. */
export function onChange(pick, draw) {
  let last = [];
  return (state) => {
    const values = pick(state);
    if (values.length === last.length && values.every((value, i) => Object.is(value, last[i]))) return;
    last = values;
    draw(state);
  };
}
