"use strict";
// Draws the curves of a page from the numbers in it, and lets its buttons and tables be used.
// Texts go in as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, inside) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (inside !== undefined) node.textContent = inside;
  return node;
}

function nice(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = power * ([1, 2, 5, 10].find((s) => s * power >= rough) || 10);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return ticks;
}

function decades(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const one of [1, 2, 5]) found.push(one * Math.pow(10, power));
  const inside = found.filter((x) => x >= low * 0.999 && x <= high * 1.001);
  return inside.length > 7 ? inside.filter((x) => /^0?\.?0*1/.test(String(x))) : inside;
}

function shown(value) {
  if (value === null || value === undefined) return "-";
  const size = Math.abs(value);
  if (size >= 10000) return value.toLocaleString("en");
  return String(Number(value.toPrecision(6)));
}

function pressed(group, button) {
  for (const other of group) other.setAttribute("aria-pressed", String(other === button));
}

// A chart: series of {label, colour, dash, mark, x, y, low, high}, redrawn whenever something
// changes. options(): what is to be seen now.
class Chart {
  constructor(box, readout, options) {
    this.box = box;
    this.readout = readout;
    this.options = options;
    this.at = null;
    this.idle = readout.textContent;
    box.addEventListener("pointermove", (event) => this.point(event));
    box.addEventListener("pointerdown", (event) => this.point(event));
    box.addEventListener("pointerleave", () => this.read(null));
    box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(box);
  }

  draw() {
    const seen = this.options();
    const width = Math.max(260, this.box.clientWidth);
    const height = Math.round(Math.min(440, Math.max(240, width * 0.48)));
    const left = 58, right = 12, top = 10, bottom = 44;
    const series = seen.series.filter((one) => one.x.length);
    const old = this.box.querySelector("svg");
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const xs = series.flatMap((one) => one.x);
    const usable = seen.logX ? xs.filter((x) => x > 0) : xs;
    let low = Math.min(...usable), high = Math.max(...usable);
    if (seen.zero && !seen.logX) low = Math.min(0, low);
    if (!(high > low)) { low -= 0.5; high += 0.5; if (seen.logX) { low = high / 2; } }
    const [bottomY, topY] = this.heights(series, seen, low, high);
    const flat = (x) => (seen.logX ? Math.log(x) : x);
    const steep = (y) => (seen.logY ? Math.log(Math.max(y, bottomY)) : y);
    const X = (x) => left + (width - left - right) * (flat(x) - flat(low)) / (flat(high) - flat(low));
    const Y = (y) => height - bottom - (height - top - bottom) * (steep(y) - steep(bottomY)) / (steep(topY) - steep(bottomY));
    const ticksX = seen.logX ? decades(low, high) : nice(low, high, width / 110);
    const ticksY = seen.logY ? decades(bottomY, topY) : nice(bottomY, topY, height / 65);
    for (const tick of ticksY) {
      svg.append(make("path", { class: "grid", d: `M${left} ${Y(tick)}H${width - right}` }));
      svg.append(make("text", { x: left - 7, y: Y(tick) + 4, "text-anchor": "end" }, shown(tick)));
    }
    for (const tick of ticksX) {
      svg.append(make("path", { class: "grid", d: `M${X(tick)} ${top}V${height - bottom}` }));
      svg.append(make("text", { x: X(tick), y: height - bottom + 16, "text-anchor": "middle" }, shown(tick)));
    }
    svg.append(make("path", { class: "axis", fill: "none", d: `M${left} ${top}V${height - bottom}H${width - right}` }));
    svg.append(make("text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, seen.titleX));
    svg.append(make("text", { x: -(top + height - bottom) / 2, y: 13, transform: "rotate(-90)", "text-anchor": "middle" }, seen.titleY));
    const clip = `clip${Chart.count++}`;
    const window_ = make("clipPath", { id: clip });
    window_.append(make("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom + 2 }));
    const inside = make("g", { "clip-path": `url(#${clip})` });
    const path = (xs, ys) => {
      let d = "", pen = "M";
      xs.forEach((x, i) => {
        if (ys[i] === null || (seen.logX && x <= 0)) { pen = "M"; return; }
        d += `${pen}${X(x).toFixed(1)} ${Y(ys[i]).toFixed(1)}`;
        pen = "L";
      });
      return d;
    };
    for (const one of series) {
      if (!one.low) continue;
      const there = one.x.map((x, i) => i).filter((i) => one.low[i] !== null && one.high[i] !== null && !(seen.logX && one.x[i] <= 0));
      const pick = (values) => there.map((i) => values[i]);
      const back = path(pick(one.x).reverse(), pick(one.low).reverse()).replace(/^M/, "L");
      if (there.length > 1) inside.append(make("path", { class: "band", fill: one.colour, d: `${path(pick(one.x), pick(one.high))}${back}Z` }));
    }
    series.forEach((one, place) => {
      inside.append(make("path", { class: "series", stroke: one.colour, "stroke-dasharray": one.dash, d: path(one.x, one.y), "data-label": one.label }));
      for (let k = 0; k < 6; k++) {
        const want = left + (width - left - right) * (k + (place + 0.5) / series.length) / 6;
        let best = -1;
        one.x.forEach((x, i) => {
          if (one.y[i] === null || (seen.logX && x <= 0)) return;
          if (best < 0 || Math.abs(X(x) - want) < Math.abs(X(one.x[best]) - want)) best = i;
        });
        if (best >= 0) inside.append(make("path", { class: "dot", fill: one.colour, d: one.mark, transform: `translate(${X(one.x[best]).toFixed(1)} ${Y(one.y[best]).toFixed(1)}) scale(4.2)` }));
      }
    });
    this.cross = make("path", { class: "cross", visibility: "hidden" });
    svg.append(window_, inside, this.cross);
    if (!series.length) svg.append(make("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "No agent is shown"));
    if (old) old.replaceWith(svg); else this.box.append(svg);
    Object.assign(this, { X, series, seen, width, left, right, top, base: height - bottom });
    this.steps = [...new Set(series.flatMap((one) => one.x))].filter((x) => !seen.logX || x > 0).sort((a, b) => a - b);
    this.read(this.at);
  }

  // The first few queries span most of the range and say least: a linear axis gives the room to the rest.
  heights(series, seen, low, high) {
    const lows = [], highs = [];
    for (const one of series)
      one.x.forEach((x, i) => {
        const a = one.low ? one.low[i] : one.y[i], b = one.high ? one.high[i] : one.y[i];
        if (a === null || (seen.logX && x <= 0)) return;
        if (seen.logY ? a > 0 : seen.whole || x >= high / 30 || seen.logX) lows.push(seen.logY ? Math.min(a, one.y[i] || a) : a);
        highs.push(b);
      });
    if (!lows.length) return seen.logY ? [0.1, 1] : [0, 1];
    let bottom = Math.min(...lows), top = Math.max(...highs);
    if (seen.logY) return [bottom / 1.3, Math.max(top, bottom * 1.5) * 1.1];
    const room = Math.max(top - bottom, 0.1);
    return [seen.whole ? 0 : bottom - 0.03 * room, seen.whole ? Math.max(top, 100) * 1.02 : top + 0.05 * room];
  }

  point(event) {
    if (!this.steps || !this.steps.length) return;
    const box = this.box.getBoundingClientRect();
    const x = (event.clientX - box.left) * this.width / box.width;
    this.read(this.steps.reduce((a, b) => (Math.abs(this.X(b) - x) < Math.abs(this.X(a) - x) ? b : a)));
  }

  key(event) {
    const many = this.steps ? this.steps.length : 0;
    if (!many) return;
    const here = this.at === null ? -1 : this.steps.findIndex((x) => x >= this.at);
    const stride = Math.max(1, Math.round(many / 60));
    const to = { ArrowRight: here + stride, ArrowLeft: here < 0 ? many - 1 : here - stride, Home: 0, End: many - 1 }[event.key];
    if (event.key === "Escape") return this.read(null);
    if (to === undefined) return;
    event.preventDefault();
    this.read(this.steps[Math.min(many - 1, Math.max(0, to))]);
  }

  read(x) {
    this.at = x;
    if (x === null || !this.series || !this.series.length) {
      if (this.cross) this.cross.setAttribute("visibility", "hidden");
      this.readout.textContent = this.idle;
      return;
    }
    this.cross.setAttribute("d", `M${this.X(x)} ${this.top}V${this.base}`);
    this.cross.setAttribute("visibility", "visible");
    const lines = [];
    for (const one of this.series) {
      let i = -1;
      one.x.forEach((there, j) => { if (there <= x * (1 + 1e-9)) i = j; });
      if (i >= 0 && one.y[i] !== null) lines.push([one, i]);
    }
    const sign = this.seen.falling ? 1 : -1;
    lines.sort((a, b) => sign * (a[0].y[a[1]] - b[0].y[b[1]]));
    this.readout.replaceChildren();
    const head = document.createElement("b");
    head.textContent = `${this.seen.titleX}: ${shown(x)} `;
    this.readout.append(head);
    for (const [one, i] of lines) {
      const said = document.createElement("span");
      const ends = one.low && one.low[i] !== one.high[i] ? ` [${one.low[i].toFixed(2)}, ${one.high[i].toFixed(2)}]` : "";
      said.textContent = `${one.label} ${one.y[i].toFixed(2)}${ends}`;
      this.readout.append(said);
    }
  }
}
Chart.count = 0;

function curves(article, data, hidden) {
  const state = { kind: "accuracy", along: "queries", scale: "linear" };
  const box = article.querySelector('[data-plot="curves"]');
  const best = data.optimum;
  const turned = (values) => values.map((y) => (y === null ? null : Math.round((best - y) * 1e5) / 1e5));
  const chart = new Chart(box, box.nextElementSibling, () => {
    const regret = state.kind === "regret";
    const series = data.agents.filter((agent, i) => !hidden.has(i) && agent[state.along]).map((agent) => {
      const from = agent[state.along];
      const ends = regret ? { y: turned(from.y), low: turned(from.high), high: turned(from.low) } : from;
      return { ...agent, x: from.x, y: ends.y, low: ends.low, high: ends.high };
    });
    return {
      series, logX: state.scale === "log", logY: regret, zero: true, falling: regret, whole: false,
      titleX: state.along === "queries" ? "Queries" : `Simulated training time (${data.unit})`,
      titleY: regret ? "Regret (points)" : `${data.reports[0].toUpperCase()}${data.reports.slice(1)} (%)`,
    };
  });
  for (const name in state) {
    const group = article.querySelectorAll(`[data-${name}]`);
    for (const button of group)
      button.addEventListener("click", () => {
        state[name] = button.dataset[name];
        pressed(group, button);
        chart.at = null;
        chart.draw();
      });
  }
  return chart;
}

function profile(article, data, hidden) {
  const box = article.querySelector('[data-plot="profile"]');
  if (!box) return null;
  return new Chart(box, box.nextElementSibling, () => ({
    series: data.agents.filter((agent, i) => !hidden.has(i) && agent.profile).map((agent) => ({ ...agent, x: data.levels, y: agent.profile })),
    logX: false, logY: false, zero: false, whole: true, falling: false,
    titleX: `${data.reports[0].toUpperCase()}${data.reports.slice(1)} of at least (%)`, titleY: "Runs (%)",
  }));
}

function tables(article) {
  const table = article.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  const buttons = article.querySelectorAll("[data-rows]");
  const only = (queries) => { for (const row of rows) row.hidden = queries !== "all" && row.dataset.queries !== queries; };
  for (const button of buttons) {
    button.addEventListener("click", () => { only(button.dataset.rows); pressed(buttons, button); });
    if (button.getAttribute("aria-pressed") === "true") only(button.dataset.rows);
  }
  for (const button of table.querySelectorAll(".sort"))
    button.addEventListener("click", () => {
      const head = button.closest("th"), column = Number(button.dataset.column);
      const way = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way);
      const value = (row) => row.cells[column].dataset.sort;
      const known = rows.filter((row) => value(row) !== ""), unknown = rows.filter((row) => value(row) === "");
      known.sort((a, b) => (button.dataset.number === "1" ? value(a) - value(b) : value(a).localeCompare(value(b))) * (way === "descending" ? -1 : 1));
      table.tBodies[0].append(...known, ...unknown);
    });
}

for (const article of document.querySelectorAll("article.ground")) {
  const data = JSON.parse(article.querySelector("script.data").textContent);
  const hidden = new Set();
  const charts = [curves(article, data, hidden), profile(article, data, hidden)].filter(Boolean);
  for (const button of article.querySelectorAll("[data-agent]"))
    button.addEventListener("click", () => {
      const place = Number(button.dataset.agent), hides = !hidden.has(place);
      if (hides) hidden.add(place); else hidden.delete(place);
      button.setAttribute("aria-pressed", String(!hides));
      for (const chart of charts) chart.draw();
    });
  tables(article);
}
