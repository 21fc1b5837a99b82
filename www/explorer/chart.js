/** @file Histograms, drawn by uPlot in the page's colours. */
import { css, html, unsafeCSS } from 'lit';
import uPlot from 'uplot';
import sheet from 'uplot/dist/uPlot.min.css';
import { define, shared, View, Width } from './base.js';
import { BINS, histogram } from './distribution.js';

const styles = css`
  :host { position: relative; min-height: 230px; }
  .name { position: absolute; font-size: 13px; pointer-events: none; }
`;

const HEIGHT = 230;
const FONT = 'system-ui, sans-serif';

/** Best matches as filled bars, what chance makes of them as a line on top, and the threshold. */
class Histogram extends View {
  static properties = {
    ...View.properties,
    values: { attribute: false },
    control: { attribute: false },
    threshold: { type: Number },
    label: {},
    names: { attribute: false },
    theme: {},
    wide: { state: true },
  };

  static styles = [unsafeCSS(sheet), shared, styles];

  constructor() {
    super();
    /** From 0 to 1. @type {number[] | undefined} */
    this.values = undefined;
    /** The same of a control; undefined while it is computed. @type {number[] | undefined} */
    this.control = undefined;
    this.threshold = 0;
    this.label = '';
    /** Of values and control. @type {string[]} */
    this.names = [];
    this.theme = '';
    this.wide = 0;
    /** @type {uPlot | undefined} */
    this.plot = undefined;
    new Width(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.plot?.destroy();
    this.plot = undefined;
  }

  render() {
    return html`<div id="plot" role="img" aria-label=${this.label}></div>`;
  }

  updated() {
    if (!this.wide || !this.values) return;
    this.plot?.destroy();
    // The middles of the bins; a step line needs the last edge too.
    const x = Array.from({ length: BINS + 1 }, (_, i) => i / BINS);
    const bars = [...histogram(this.values), null];
    const line = this.control ? [...histogram(this.control)] : undefined;
    const stepped = line ? [...line, line[line.length - 1]] : x.map(() => null);
    this.plot = new uPlot(this.#options(), [x, bars, stepped], this.find('#plot'));
  }

  /** @returns {uPlot.Options} */
  #options() {
    const colour = coloursOf(this);
    const axis = {
      stroke: colour('muted'),
      font: `12px ${FONT}`,
      grid: { show: false },
      ticks: { stroke: colour('line'), width: 1, size: 4 },
    };
    const percent = (/** @type {unknown} */ _, /** @type {number[]} */ values) =>
      values.map((value) => `${Math.round(100 * value)} %`);
    const { bars, stepped } = uPlot.paths;
    const fill = `color-mix(in srgb, ${colour('last')} 30%, transparent)`;
    const points = { show: false };
    return {
      width: this.wide,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [0, 1] }, y: { range: (_, low, high) => [0, Math.max(0.1, high * 1.1)] } },
      axes: [
        { ...axis, space: 40 },
        { ...axis, size: 46, values: percent },
      ],
      series: [
        {},
        { stroke: colour('last'), fill, width: 1, paths: bars?.({ align: 1, size: [1, 100] }), points },
        { stroke: colour('text'), width: 1.5, dash: [4, 3], paths: stepped?.({ align: 1 }), points },
      ],
      hooks: { draw: [(plot) => this.#annotate(plot)] },
    };
  }

  /** The threshold, and both curves' names at their own peaks. @param {uPlot} plot */
  #annotate(plot) {
    const colour = coloursOf(this);
    const { ctx, bbox } = plot;
    const at = (/** @type {number} */ value) => plot.valToPos(value, 'x', true);
    ctx.save();
    ctx.font = `${12 * devicePixelRatio}px ${FONT}`;
    ctx.strokeStyle = colour('muted');
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(at(this.threshold), bbox.top);
    ctx.lineTo(at(this.threshold), bbox.top + bbox.height);
    ctx.stroke();
    ctx.textBaseline = 'alphabetic';
    ctx.textAlign = 'left';
    nameCurve(plot, 1, this.names[0], colour('last'));
    if (this.control) nameCurve(plot, 2, this.names[1], colour('text'));
    ctx.restore();
  }
}

/** The page's colours, by name. @param {Element} element */
function coloursOf(element) {
  const style = getComputedStyle(element);
  return (/** @type {string} */ name) => style.getPropertyValue(`--${name}`);
}

/** Words at the peak of a curve. @param {uPlot} plot @param {number} row @param {string} words @param {string} ink */
function nameCurve(plot, row, words, ink) {
  const { ctx, bbox } = plot;
  const values = [...plot.data[row]].flatMap((value) => value ?? []);
  const bin = values.indexOf(Math.max(...values));
  const [x, y] = [plot.valToPos((bin + 0.5) / BINS, 'x', true), plot.valToPos(values[bin], 'y', true)];
  ctx.fillStyle = ink;
  const { width } = ctx.measureText(words);
  const left = Math.min(bbox.left + bbox.width - width, Math.max(bbox.left, x - width / 2));
  ctx.fillText(words, left, Math.max(bbox.top + 10 * devicePixelRatio, y - 6 * devicePixelRatio));
}

define('gg-histogram', Histogram);
