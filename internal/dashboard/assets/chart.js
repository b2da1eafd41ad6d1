"use strict";

// The one place that knows uPlot. A Panels is a column of charts on one axis of
// time: they share the cursor and the part of time that is shown.
class Panels {
  // times writes a moment for the axis; look is called with the moment under the cursor, or null.
  // Stretched, low values take more room than high ones, by their square root.
  constructor({ times, look, stretched }) {
    this.times = times;
    this.stretched = stretched;
    this.look = look;
    this.charts = [];
    this.range = null; // what is shown
    this.whole = null; // what there is
    this.sync = "panels-" + Panels.made++;
    this.at = null;
  }

  // add draws a chart in an element.
  //   series: [{name, data: [times, values], colour, width, fill, dash, stepped}]
  //   between: [[upper, lower, colour]], areas between two series, by their indices
  //   lines: [{at, colour, name}], horizontal; band: {low, high, colour}
  //   value: writes a value for the axis, incrs: the steps between its values; height in pixels
  //   least: what the axis shows at least, by the part of time in view
  add(element, spec) {
    const tables = spec.series.map((s) => s.data);
    const data = uPlot.join(tables);
    const chart = new uPlot(this.options(spec, element), data, element);
    this.charts.push({ chart, spec, element });
    const ends = [data[0][0], data[0][data[0].length - 1]];
    this.whole = this.whole ? [Math.min(this.whole[0], ends[0]), Math.max(this.whole[1], ends[1])] : ends;
    return chart;
  }

  options(spec, element) {
    const axis = { stroke: () => ink("faint"), grid: { stroke: () => ink("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const value = spec.value || ((v) => v);
    return {
      width: Panels.width(element),
      height: spec.height,
      legend: { show: false },
      padding: [8, 24, 0, 0],
      cursor: {
        sync: { key: this.sync, scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        y: false,
        bind: { dblclick: () => () => this.zoom(null) },
      },
      select: { show: true },
      scales: {
        x: { time: false, range: () => this.range || this.whole },
        y: { ...Panels.stretching(this.stretched), range: (_, low, high) => [0, 1.05 * Math.max(spec.least ? spec.least(this.range || this.whole) : 0, high || 0)] },
      },
      axes: [
        { ...axis, space: 90, size: 28, incrs: Panels.steps, values: (_, at) => at.map((t) => this.times(t, at.length > 1 ? at[1] - at[0] : 0)) },
        { ...axis, size: 56, space: 26, ...(spec.incrs && !this.stretched ? { incrs: spec.incrs } : {}), values: (_, all) => all.map((v) => (v === null ? "" : value(v))) },
      ],
      bands: (spec.between || []).map(([upper, lower, colour]) => ({ series: [upper + 1, lower + 1], fill: () => ink(colour, 0.45) })),
      series: [{}, ...spec.series.map((s) => this.series(s))],
      hooks: {
        drawClear: [(u) => this.background(u, spec)],
        setSelect: [(u) => this.selected(u)],
        setCursor: [(u) => this.moved(u)],
      },
    };
  }

  series(s) {
    return {
      label: s.name,
      stroke: s.width === 0 ? undefined : () => ink(s.colour),
      width: s.width === undefined ? 1.5 : s.width,
      fill: s.fill ? () => ink(s.colour, s.fill) : undefined,
      dash: s.dash,
      paths: s.stepped ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
      points: { show: false },
    };
  }

  // background draws bands and lines that values are held against.
  background(u, spec) {
    const { left, top, width, height } = u.bbox;
    const y = (v) => Math.min(Math.max(u.valToPos(v, "y", true), top), top + height);
    u.ctx.save();
    if (spec.band) {
      u.ctx.fillStyle = ink(spec.band.colour, 0.14);
      u.ctx.fillRect(left, y(spec.band.high), width, y(spec.band.low) - y(spec.band.high));
    }
    for (const line of spec.lines || []) {
      u.ctx.strokeStyle = ink(line.colour);
      u.ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      u.ctx.lineWidth = devicePixelRatio;
      u.ctx.beginPath();
      u.ctx.moveTo(left, y(line.at));
      u.ctx.lineTo(left + width, y(line.at));
      u.ctx.stroke();
    }
    u.ctx.restore();
  }

  selected(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    this.zoom([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
    for (const { chart } of this.charts) chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  // zoom shows a part of time, or all of it.
  zoom(range) {
    this.range = range && this.within(range);
    for (const { chart } of this.charts) chart.setData(chart.data);
    const [from, to] = this.range || this.whole;
    if (this.at !== null && this.at >= from && this.at <= to) this.point(this.at);
  }

  within([from, to]) {
    const [first, last] = this.whole;
    const span = Math.min(Math.max(to - from, 10), last - first);
    const start = Math.min(Math.max(from, first), last - span);
    return [start, start + span];
  }

  // scale zooms by a factor around the cursor, or around the middle.
  scale(factor) {
    const [from, to] = this.range || this.whole;
    const middle = this.at === null || this.at < from || this.at > to ? (from + to) / 2 : this.at;
    const next = [middle - (middle - from) * factor, middle + (to - middle) * factor];
    this.zoom(next[1] - next[0] >= this.whole[1] - this.whole[0] ? null : next);
  }

  // left is where a moment is on a chart. Our own range is asked: the chart takes it over a moment later.
  left(chart, at) {
    const [from, to] = this.range || this.whole;
    return ((at - from) / (to - from)) * chart.over.clientWidth;
  }

  moved(u) {
    const left = u.cursor.left;
    if (left < 0) return; // the last moment stays, to be read
    if (this.at !== null && Math.abs(left - this.left(u, this.at)) < 1) return; // already there, and known better than to the pixel
    const [from, to] = this.range || this.whole;
    this.at = from + (left / u.over.clientWidth) * (to - from);
    this.look(this.at);
  }

  // point puts the cursor on a moment; it is brought into view.
  point(at) {
    const [from, to] = this.range || this.whole;
    this.at = at;
    if (at < from || at > to) return this.zoom([at - (to - from) / 2, at + (to - from) / 2]);
    for (const { chart } of this.charts) chart.setCursor({ left: this.left(chart, at), top: 10 }, false);
    this.look(at);
  }

  // redraw draws anew, in the colours and the width of the moment.
  redraw() {
    inks.clear();
    for (const { chart, spec, element } of this.charts) {
      chart.setSize({ width: Panels.width(element), height: spec.height });
      chart.redraw(false);
    }
  }

  clear() {
    for (const { chart } of this.charts) chart.destroy();
    this.charts = [];
    this.whole = null;
    this.range = null;
  }

  static width(element) {
    return Math.max(280, element.clientWidth);
  }
}

Panels.made = 0;

Panels.stretching = (on) => (on ? { distr: 100, fwd: (v) => Math.sqrt(Math.max(0, v)), bwd: (v) => v * v } : {});

// Steps of an axis of time, in seconds: those in which people count time.
Panels.steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 604800, 1209600, 2419200];

const inks = new Map();

// ink is a colour of the style sheet as a canvas wants it, such as ink("faint").
function ink(name, opacity = 1) {
  const key = name + opacity;
  if (!inks.has(key)) {
    const probe = document.createElement("span");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g);
    probe.remove();
    inks.set(key, `rgba(${r}, ${g}, ${b}, ${opacity})`);
  }
  return inks.get(key);
}
