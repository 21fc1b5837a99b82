/** @file What all views of the explorer share: the way they are updated, and their look. */
import { css, html, LitElement, noChange, unsafeCSS } from 'lit';
import { Directive, directive } from 'lit/directive.js';
import { text } from '../view/language.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {import('./session.js').Session<State>['actions']} Actions
 */

/**
 * A view is a function of the properties that its parent hands down; what a visitor does becomes an action.
 * `language` is a property so that words are drawn anew.
 */
export class View extends LitElement {
  static properties = { language: { attribute: false } };

  constructor() {
    super();
    this.language = '';
    /** Tables that are open, by name. @type {Set<string>} */
    this.opened = new Set();
  }

  /** An element below. @param {string} selector @returns {any} */
  find(selector) {
    return this.renderRoot.querySelector(selector);
  }

  /** @param {string} selector @returns {any[]} */
  findAll(selector) {
    return [...this.renderRoot.querySelectorAll(selector)];
  }
}

/**
 * A view of a stage, a row of views.js: a function of the state, with what panel.js makes of it once for all views.
 * @typedef {import('./stage.js').Opened} Opened
 * @typedef {import('./panel.js').Shown} Shown
 */
export class StageView extends View {
  static properties = {
    ...View.properties,
    state: { attribute: false, hasChanged: () => true },
    shown: { attribute: false },
    pair: { attribute: false },
    pinned: { type: Boolean },
  };

  constructor() {
    super();
    /** @type {Opened} */
    this.state;
    /** @type {Shown} */
    this.shown;
    /** The pair that is lit. @type {import('./stage.js').Pair | undefined} */
    this.pair = undefined;
    /** Whether it is pinned. */
    this.pinned = false;
    /** @type {Actions} */
    this.actions;
    /** @type {() => import('./state.js').Net} */
    this.net;
  }
}

/**
 * @param {string} id and name of its words, where they are not given
 * @param {{ value: string, words: string, selected: boolean }[]} options
 * @param {(value: string) => void} choose
 * @param {string} [words]
 * @param {string} [colour] whose name the words have
 */
export const choice = (id, options, choose, words = id, colour = 'what') => html`<label class="choice">
  <span class=${colour}>${text(words)}</span>
  <select id=${id} @change=${(/** @type {{ target: HTMLSelectElement }} */ { target }) => choose(target.value)}>
    ${options.map((one) => html`<option value=${one.value} .selected=${one.selected}>${one.words}</option>`)}
  </select>
</label>`;

/**
 * @typedef {object} Table the first column is text, the others are numbers
 * @property {unknown[]} head
 * @property {unknown[][]} rows
 * @property {unknown} [above] shown before the table
 */

/**
 * A picture's numbers as a table that opens on demand, and is made only then.
 * @param {View} view
 * @param {() => Table} make
 * @param {string} name of the words on it
 */
export function asTable(view, make, name = 'asTable') {
  const toggle = (/** @type {{ target: HTMLDetailsElement }} */ { target }) => {
    view.opened[target.open ? 'add' : 'delete'](name);
    view.requestUpdate();
  };
  const open = view.opened.has(name);
  return html`<details ?open=${open} @toggle=${toggle}>
    <summary>${text(name)}</summary>
    ${open ? tableOf(make(), name) : ''}
  </details>`;
}

/** @param {Table} table @param {string} name */
function tableOf({ head, rows, above = '' }, name) {
  const title = (/** @type {unknown} */ words, /** @type {number} */ i) =>
    html`<th scope="col" class=${i ? 'number' : ''}>${words}</th>`;
  const row = (/** @type {unknown[]} */ [first, ...numbers]) =>
    html`<tr><th scope="row">${first}</th>${numbers.map((number) => html`<td class="number">${number}</td>`)}</tr>`;
  return html`${above}
    <div class="table" tabindex="0" role="region" aria-label=${text(name)}>
      <table><thead><tr>${head.map(title)}</tr></thead><tbody>${rows.map(row)}</tbody></table>
    </div>`;
}

/** Keeps a view's property `wide` at its width in whole pixels. */
export class Width {
  /** @param {View & { wide: number }} view */
  constructor(view) {
    this.view = view;
    /** @type {ResizeObserver | undefined} */
    this.watcher = undefined;
    view.addController(this);
  }
  hostConnected() {
    // In the next frame: a change of size within the notice of one is an error to browsers.
    this.watcher = new ResizeObserver(([{ contentRect }]) => {
      requestAnimationFrame(() => (this.view.wide = Math.floor(contentRect.width)));
    });
    this.watcher.observe(this.view);
  }
  hostDisconnected() {
    this.watcher?.disconnect();
  }
}

/** @param {string} name @param {CustomElementConstructor} view */
export function define(name, view) {
  if (!customElements.get(name)) customElements.define(name, view);
}

/** Sets styles one by one, which a strict content security policy allows where it refuses style attributes. */
class Styled extends Directive {
  /** @param {Record<string, string>} _styles */
  render(_styles) {
    return noChange;
  }
  /** @param {import('lit/directive.js').ElementPart} part @param {[Record<string, string>]} styles */
  update({ element }, [styles]) {
    const { style } = /** @type {HTMLElement} */ (element);
    for (const [name, value] of Object.entries(styles)) {
      if (style.getPropertyValue(name) !== value) style.setProperty(name, value);
    }
    return noChange;
  }
}
export const styled = directive(Styled);

const phone = unsafeCSS('(max-width: 799px)');

export const shared = css`
  :host { display: block; }
  :host([hidden]), [hidden] { display: none !important; }
  *, *::before, *::after { box-sizing: border-box; }
  h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
  ul, ol { list-style: none; }
  h3 { font-size: 15px; font-weight: 600; }
  button, select, input { font: inherit; color: inherit; }
  a { color: inherit; text-underline-offset: 2px; }
  :focus-visible { outline: 2px solid var(--text); outline-offset: 2px; }
  .note { font-size: 13px; color: var(--muted); }
  .first { color: var(--first); }
  .last { color: var(--last); }
  .ghost { color: var(--ghost); }
  .weak { color: var(--muted); }
  .button {
    padding: 5px 12px;
    border: 1px solid var(--line);
    border-radius: 4px;
    background: var(--surface);
    font-size: 13px;
    cursor: pointer;
    white-space: nowrap;
  }
  .button:hover:not(:disabled) { background: var(--faint); }
  .button:disabled { color: var(--muted); cursor: default; }
  .button[aria-pressed='true'] { border-color: var(--text); }
  .choice {
    display: inline-flex; align-items: center; gap: 2px; font-size: 13px; color: var(--muted); white-space: nowrap;
    min-width: 0;
  }
  .choice select {
    padding: 4px 2px;
    border: 1px solid transparent;
    border-radius: 4px;
    background: none;
    color: var(--text);
    cursor: pointer;
    max-width: 220px;
  }
  .choice select option { background: var(--surface); color: var(--text); }
  .choice select:hover { background: var(--faint); }
  .how {
    padding: 0; border: 0; background: none; color: var(--muted); font-size: 13px; text-decoration: underline;
    text-underline-offset: 2px; cursor: pointer;
  }
  .how:hover { color: var(--text); }
  details { margin-top: 14px; font-size: 13px; }
  summary { cursor: pointer; color: var(--muted); width: fit-content; }
  .table { max-height: 320px; overflow: auto; margin-top: 8px; }
  table { border-collapse: collapse; font-size: 13px; width: 100%; }
  th { font-weight: 600; text-align: left; }
  td, th { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
  td.number, th.number { text-align: right; }
  tbody th { font-weight: 400; }
  .table th:first-child { position: sticky; left: 0; background: var(--surface); }
  .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  @media ${phone} {
    .button, .choice select, .how { min-height: 44px; }
    .choice select { padding-inline: 0; }
    .what { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  }
  @media (prefers-reduced-motion: reduce) {
    * { transition: none !important; animation: none !important; }
  }
`;
