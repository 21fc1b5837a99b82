/** @file Histograms, drawn by uPlot in the page's colours. */
import { css, html, unsafeCSS } from 'lit';
import uPlot from 'uplot';
import sheet from 'uplot/dist/uPlot.min.css';
import { define, shared, View, Width } from './base.js';

const BINS = 25;

/** Shares of values in equal bins from 0 to 1. */
export function histogram(values) {
  const counts = new Float64Array(BINS);
  for (const value of values) counts[Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)))]++;
  return counts.map((count) => count / (values.length || 1));
}

/** Best matches as filled bars, what chance makes of them as a line on top, and the threshold. */
class Histogram extends View {
  static properties = {
    ...View.properties,
    /** Values from 0 to 1. */
    values: { attribute: false },
    /** The same of a control; undefined while it is computed. */
    control: { attribute: false },
    threshold: { type: Number },
    label: {},
    names: { attribute: false },
    theme: {},
    wide: { state: true },
  };

  static styles = [
    unsafeCSS(sheet),
    shared,
    css`
      :host { position: relative; min-height: 230px; }
      .name { position: absolute; font-size: 13px; pointer-events: none; }
    `,
  ];

  constructor() {
    super();
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
    const style = getComputedStyle(this);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    // The middles of the bins; a step line needs the last edge too.
    const x = Array.from({ length: BINS + 1 }, (_, i) => i / BINS);
    const bars = [...histogram(this.values), null];
    const line = this.control ? [...histogram(this.control)] : [];
    const stepped = this.control ? [...line, line.at(-1)] : x.map(() => null);
    const percent = (self, values) => values.map((value) => `${Math.round(100 * value)} %`);
    const axis = { stroke: colour('muted'), font: '12px system-ui, sans-serif', grid: { show: false }, ticks: { stroke: colour('line'), width: 1, size: 4 } };
    this.plot = new uPlot(
      {
        width: this.wide,
        height: 230,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [0, 1] }, y: { range: (self, low, high) => [0, Math.max(0.1, high * 1.1)] } },
        axes: [{ ...axis, space: 40 }, { ...axis, size: 46, values: percent }],
        series: [
          {},
          { stroke: colour('last'), fill: `color-mix(in srgb, ${colour('last')} 30%, transparent)`, width: 1, paths: uPlot.paths.bars({ align: 1, size: [1, 100] }), points: { show: false } },
          { stroke: colour('text'), width: 1.5, dash: [4, 3], paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
        ],
        hooks: { draw: [(plot) => this.#annotate(plot, colour)] },
      },
      [x, bars, stepped],
      this.renderRoot.querySelector('#plot'),
    );
  }

  /** The threshold, and both curves' names at their own peaks. */
  #annotate(plot, colour) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    const at = (value) => plot.valToPos(value, 'x', true);
    ctx.save();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.strokeStyle = colour('muted');
    ctx.lineWidth = scale;
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(at(this.threshold), bbox.top);
    ctx.lineTo(at(this.threshold), bbox.top + bbox.height);
    ctx.stroke();
    const peak = (row) => {
      const values = plot.data[row].filter((value) => value !== null);
      const bin = values.indexOf(Math.max(...values));
      return [at((bin + 0.5) / BINS), plot.valToPos(values[bin], 'y', true)];
    };
    const name = (words, [x, y], ink) => {
      ctx.fillStyle = ink;
      const width = ctx.measureText(words).width;
      const left = Math.min(bbox.left + bbox.width - width, Math.max(bbox.left, x - width / 2));
      ctx.fillText(words, left, Math.max(bbox.top + 10 * scale, y - 6 * scale));
    };
    ctx.textBaseline = 'alphabetic';
    ctx.textAlign = 'left';
    ctx.setLineDash([]);
    name(this.names[0], peak(1), colour('last'));
    if (this.control) name(this.names[1], peak(2), colour('text'));
    ctx.restore();
  }
}

define('gg-histogram', Histogram);
