"use strict";

// The report: a table that is there without this script, and charts of the data
// in #data. Names and reasons are only ever put in as text.

const el = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const $ = (id) => document.getElementById(id);

async function unpack() {
  const bytes = Uint8Array.from(atob($("data").textContent), (c) => c.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).json();
}

// seconds, minutes and hours as the table writes them.
function brief(s) {
  if (s < 100) return (Math.round(s * 10) / 10) + " s";
  if (s < 6000) return Math.floor(s / 60) + " min " + String(Math.floor(s % 60)).padStart(2, "0") + " s";
  return Math.floor(s / 3600) + " h " + String(Math.floor(s / 60) % 60).padStart(2, "0") + " min";
}

// short is brief for an axis.
const short = (s) => (s < 60 ? Math.round(s * 10) / 10 + " s" : s < 3600 ? Math.floor(s / 60) + ":" + two(Math.floor(s % 60)) : Math.floor(s / 3600) + " h " + two(Math.floor(s / 60) % 60));

const two = (n) => String(n).padStart(2, "0");
const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

// clock returns what writes moments of a demand: by its calendar, or counted from its beginning.
function clock(demand, days) {
  return (t, step = 1) => {
    const d = new Date((demand.begin + t) * 1000);
    const time = two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()) + (step < 60 ? ":" + two(d.getUTCSeconds()) : "");
    const day = demand.begin ? `${weekdays[d.getUTCDay()]} ${two(d.getUTCDate())}.${two(d.getUTCMonth() + 1)}.` : "day " + (Math.floor(t / 86400) + 1);
    if (!days) return time;
    return step >= 86400 ? day : day + " " + time;
  };
}

// A Replay is one policy's run, with times summed up and reasons filled in.
class Replay {
  constructor(run, colour) {
    Object.assign(this, run);
    this.colour = colour;
    this.shown = true;
    let t = 0;
    this.times = run.steps.map((s) => (t = Math.round((t + s) * 10) / 10));
    let last = [];
    this.reasons = run.reasons.map((r) => (last = r === null ? last : r));
  }

  // index is that of the last moment up to a time.
  index(at) {
    let low = 0;
    let high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // peak is the highest number of pods in a part of time.
  peak([from, to]) {
    let top = 1;
    for (let i = this.index(from); i < this.times.length && this.times[i] <= to; i++) {
      top = Math.max(top, this.to[i], this.ready[i] + this.starting[i] + this.leaving[i]);
    }
    return top;
  }

  column(name) {
    return [this.times, this[name]];
  }

  stacked(...names) {
    return [this.times, this.times.map((_, i) => names.reduce((sum, n) => sum + this[n][i], 0))];
  }
}

class Page {
  constructor(demands) {
    this.demands = demands.map((d) => ({ ...d, runs: d.runs.map((r, i) => new Replay(r, "p" + (i % 8))) }));
    for (const d of this.demands) d.runs.forEach((r, i) => (r.shown = i < 4));
    this.sections = [...document.querySelectorAll(".demand")];
    this.sections.forEach((section, i) => this.choices(section, this.demands[i]));
    this.tabs();
    this.bind();
    this.show(0);
  }

  // choices puts a box before each policy of the table.
  choices(section, demand) {
    for (const row of section.querySelectorAll("tr[data-run]")) {
      const run = demand.runs[row.dataset.run];
      const box = el("input", { type: "checkbox" });
      box.checked = run.shown;
      box.addEventListener("change", () => {
        run.shown = box.checked;
        this.draw();
      });
      const swatch = el("span", { class: "swatch" });
      const label = el("label", {}, box, swatch, row.cells[0].textContent);
      label.style.setProperty("--colour", `var(--${run.colour})`);
      row.cells[0].replaceChildren(label);
    }
  }

  tabs() {
    $("tools").hidden = false;
    if (this.demands.length < 2) return;
    $("demands").hidden = false;
    this.demands.forEach((d, i) => {
      const button = el("button", { type: "button" }, d.name);
      button.addEventListener("click", () => this.show(i));
      $("demands").append(button);
    });
  }

  // show brings one demand to the front.
  show(i) {
    this.demand = this.demands[i];
    this.sections.forEach((s, j) => (s.style.display = i === j ? "" : "none"));
    [...$("demands").children].forEach((b, j) => b.setAttribute("aria-pressed", i === j));
    this.place = this.sections[i].querySelector(".charts");
    this.draw();
  }

  get runs() {
    return this.demand.runs.filter((r) => r.shown && r.times.length > 1);
  }

  // draw makes the charts of the policies that are shown; the part of time in view stays.
  draw() {
    const range = this.panels && this.panels.demand === this.demand ? this.panels.range : null;
    if (this.panels) this.panels.clear();
    this.place.replaceChildren();
    $("ledger").hidden = true;
    if (this.runs.length === 0) return;
    const end = Math.max(...this.runs.map((r) => r.times[r.times.length - 1]));
    this.clock = clock(this.demand, end > 86400 * 1.1);
    this.panels = new Panels({ times: this.clock, look: (at) => this.look(at), stretched: this.stretched });
    this.panels.demand = this.demand;
    this.load();
    const top = (range) => Math.max(...this.runs.map((r) => r.peak(range)));
    for (const run of this.runs) this.replicas(run, top);
    this.overlay("Requests waiting", "queued", { height: 130 });
    const limit = this.demand.limit;
    this.overlay("Wait of the oldest request", "waiting", { height: 150, value: short, incrs: Panels.steps, least: () => limit * 1.2, lines: [{ at: limit, colour: "limit" }] }, ["limit", brief(limit)]);
    this.overlay("GPU-hours so far", "hours", { height: 130, stepped: false });
    this.panels.zoom(range);
  }

  // panel draws a chart under a heading with its keys, and a remark where there is one.
  panel(title, spec, keys, remark) {
    const heading = el("h3", {}, title);
    for (const [colour, name, line] of keys) {
      const key = el("span", { class: line ? "key line" : "key" }, el("span", { class: "swatch" }), name);
      key.style.setProperty("--colour", `var(--${colour})`);
      heading.append(key);
    }
    if (remark) heading.append(el("span", { class: "key" }, remark));
    const place = el("div");
    this.place.append(heading, place);
    this.panels.add(place, spec);
  }

  load() {
    const band = this.runs.map((r) => r.band).find((b) => b);
    const spec = {
      height: 170,
      series: this.runs.map((r) => ({ name: r.policy, data: r.column("load"), colour: r.colour, stepped: true, width: 1.25 })),
      band: band && { low: band[0], high: band[1], colour: "ready" },
      least: () => (band ? band[1] : 1),
    };
    const keys = this.runs.map((r) => [r.colour, r.policy, true]);
    this.panel("Load", spec, band ? [...keys, ["ready", `band ${band[0]} to ${band[1]}`]] : keys);
  }

  // replicas draws one policy's pods: ready ones, on top of them starting and leaving ones, and those at work.
  replicas(run, top) {
    const spec = {
      height: 170,
      least: top,
      series: [
        { name: "ready", data: run.column("ready"), colour: "ready", stepped: true, width: 0, fill: 0.45 },
        { name: "starting", data: run.stacked("ready", "starting"), colour: "starting", stepped: true, width: 0 },
        { name: "leaving", data: run.stacked("ready", "starting", "leaving"), colour: "leaving", stepped: true, width: 0 },
        { name: "at work", data: run.column("running"), colour: "working", stepped: true, width: 1 },
        { name: "asked for", data: run.column("to"), colour: "asked", stepped: true, width: 1.5 },
      ],
      between: [[1, 0, "starting"], [2, 1, "leaving"]],
    };
    this.panel("Pods of " + run.policy, spec, [["asked", "asked for", true], ["ready", "ready"], ["starting", "starting"], ["leaving", "leaving"], ["working", "at work", true]], run.hidden > 0 && `${run.hidden} of the smallest moves are not shown, as there was no room`);
  }

  overlay(title, column, spec, limit) {
    const keys = this.runs.map((r) => [r.colour, r.policy, true]);
    const series = this.runs.map((r) => ({ name: r.policy, data: r.column(column), colour: r.colour, stepped: spec.stepped !== false, width: 1.25 }));
    this.panel(title, { ...spec, series }, limit ? [...keys, [...limit, true]] : keys);
  }

  // look shows what every policy saw and did at a moment.
  look(at) {
    const ledger = $("ledger");
    ledger.hidden = false;
    ledger.replaceChildren(el("div", { class: "when" }, this.clock(Math.max(0, at))), ...this.runs.map((r) => this.article(r, r.index(at))));
  }

  article(run, i) {
    const swatch = el("span", { class: "swatch" });
    swatch.style.setProperty("--colour", `var(--${run.colour})`);
    const moved = run.from[i] === run.to[i] ? String(run.to[i]) : `${run.from[i]} → ${run.to[i]}`;
    const load = run.load[i] === null ? "load unknown" : "load " + run.load[i];
    const pods = `${run.ready[i]} ready, ${run.starting[i]} starting` + (run.leaving[i] ? `, ${run.leaving[i]} leaving` : "");
    const queue = run.queued[i] ? `${run.queued[i]} waiting, the oldest for ${brief(run.waiting[i])}` : "nobody waits";
    const article = el("article", {}, el("h4", {}, swatch, run.policy, el("b", {}, moved)), el("p", {}, `${this.clock(run.times[i])} · ${load} · ${pods} · ${run.running[i]} at work · ${queue}`));
    if (run.reasons[i].length > 0) article.append(this.reasons(run.reasons[i]));
    return article;
  }

  reasons(all) {
    const list = el("dl");
    for (const [step, from, to, why] of all) {
      list.append(el("dt", {}, step), el("dd", { class: "step" }, from === to ? String(to) : `${from} → ${to}`), el("dd", {}, why));
    }
    return list;
  }

  // go moves the cursor by one decision of the first policy shown, or to its next move.
  go(way, toMove) {
    const run = this.runs[0];
    if (!run) return;
    let i = this.panels.at === null ? (way > 0 ? -1 : run.times.length) : run.index(this.panels.at);
    do i += way;
    while (toMove && i > 0 && i < run.times.length - 1 && run.from[i] === run.to[i]);
    this.panels.point(run.times[Math.min(Math.max(i, 0), run.times.length - 1)]);
  }

  theme() {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (document.documentElement.style.colorScheme === "" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.style.colorScheme = dark ? "light" : "dark";
    this.redraw();
  }

  // stretch gives low values more room, or takes it back.
  stretch() {
    this.stretched = !this.stretched;
    $("stretch").setAttribute("aria-pressed", this.stretched);
    this.draw();
  }

  redraw() {
    if (this.panels) this.panels.redraw();
  }

  bind() {
    const keys = { "+": () => this.panels.scale(0.5), "=": () => this.panels.scale(0.5), "-": () => this.panels.scale(2), 0: () => this.panels.zoom(null), t: () => this.theme(), s: () => this.stretch() };
    $("closer").addEventListener("click", keys["+"]);
    $("farther").addEventListener("click", keys["-"]);
    $("all").addEventListener("click", keys[0]);
    $("theme").addEventListener("click", keys.t);
    $("stretch").addEventListener("click", keys.s);
    addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || !this.panels) return;
      if (e.key === "ArrowLeft" || e.key === "ArrowRight") this.go(e.key === "ArrowLeft" ? -1 : 1, e.shiftKey);
      else if (keys[e.key]) keys[e.key]();
      else return;
      e.preventDefault();
    });
    addEventListener("resize", () => this.redraw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    addEventListener("beforeprint", () => this.redraw());
    addEventListener("afterprint", () => this.redraw());
  }
}

unpack().then((demands) => {
  window.page = new Page(demands);
  document.documentElement.dataset.ready = "";
});
