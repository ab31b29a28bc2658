// The live block of a tracked cell: a status line, curves in SVG, the last values, the parameters.
// It draws what the kernel sent in `state`, at most once a second; between two of them only the clock moves.
// Every text of a run is set as a text node. Nothing is loaded from anywhere.

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 352, HIGH = 128, LEFT = 40, RIGHT = 66, TOP = 18, BOTTOM = 20;

function make(tag, attributes = {}, ...inner) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...inner);
  return node;
}

function draw(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

function visible(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (mark) => "\\u" + mark.charCodeAt(0).toString(16).padStart(4, "0"));
}

function cut(text, most) {
  const shown = [...visible(text)];
  const half = Math.floor((most - 1) / 2);
  return shown.length <= most ? shown.join("") : shown.slice(0, half).join("") + "…" + shown.slice(-half).join("");
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// Four significant digits, true minus, as the kernel writes them.
function figure(value) {
  if (value === null || value === undefined) return "NaN";
  const size = Math.abs(value);
  if (size && (size >= 1e9 || size < 1e-4)) return value.toExponential(2).replace("-", "−");
  const digits = size ? Math.max(0, 3 - Math.floor(Math.log10(size))) : 0;
  const text = Number.isInteger(value) ? String(value) : value.toFixed(Math.min(8, digits));
  return text.replace("-", "−");
}

// Round numbers between two ends, at most `count` and one, each with its text.
function ticks(low, high, count) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => span / each <= count);
  const digits = Math.max(0, -Math.floor(Math.log10(step))) + (Number.isInteger(step) || step / power !== 2.5 ? 0 : 1);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) {
    const value = Number(at.toPrecision(12));
    const large = Math.abs(value) >= 1e6 || (step < 1e-6 && value !== 0);
    found.push([value, large ? figure(value) : value.toFixed(Math.min(8, digits)).replace("-", "−")]);
  }
  return found;
}

function scale(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

// One curve. Returns its node and a function that marks a step in it.
function chart(curve, word) {
  const points = curve.points;
  const real = points.filter((point) => point[1] !== null);
  const values = real.map((point) => point[1]);
  if (curve.level !== null) values.push(curve.level);
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
  const pad = (high - low) * 0.06;
  const x = scale(points[0][0], points[points.length - 1][0], LEFT, WIDE - RIGHT);
  const y = scale(low - pad, high + pad, HIGH - BOTTOM, TOP);
  const svg = draw("svg", { class: "pn-chart", viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, role: "img" });
  svg.append(draw("title", {}, `${visible(curve.key)} by step`));
  svg.append(draw("text", { class: "pn-title", x: 2, y: 11 }, cut(curve.key, 40)));
  for (const [value, text] of ticks(low, high, 4)) {
    svg.append(draw("path", { class: "pn-grid", d: `M${LEFT} ${y(value)}H${WIDE - RIGHT}` }));
    svg.append(draw("text", { x: LEFT - 5, y: y(value) + 3.5, "text-anchor": "end" }, text));
  }
  svg.append(draw("path", { class: "pn-axis", d: `M${LEFT} ${HIGH - BOTTOM}H${WIDE - RIGHT}` }));
  for (const [step, text] of ticks(points[0][0], points[points.length - 1][0], 4)) {
    svg.append(draw("path", { class: "pn-axis", d: `M${x(step)} ${HIGH - BOTTOM}v3` }));
    svg.append(draw("text", { x: x(step), y: HIGH - 5, "text-anchor": "middle" }, text));
  }
  const last = real[real.length - 1];
  if (curve.level !== null) {
    const at = y(curve.level);
    // Beside the value's own text where both would stand in one place, on the level's side of it.
    const apart = last ? at - y(last[1]) : 99;
    const shift = Math.abs(apart) < 11 ? (apart > 0 ? 11 : -11) - apart : 0;
    svg.append(draw("path", { class: "pn-axis", "stroke-dasharray": "4 3", d: `M${LEFT} ${at}H${WIDE - RIGHT}` }));
    svg.append(draw("text", { class: "pn-small", x: WIDE - RIGHT + 5, y: at + 3.5 + shift }, cut(word, 12)));
  }
  let path = "", pen = "M";
  for (const [step, value] of points) {
    if (value === null) { pen = "M"; continue; }
    path += `${pen}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  }
  svg.append(draw("path", { class: "pn-curve", d: path }));
  if (last) {
    svg.append(draw("circle", { class: "pn-dot", cx: x(last[0]), cy: y(last[1]), r: 3 }));
    svg.append(draw("text", { class: "pn-last", x: x(last[0]) + 6, y: y(last[1]) + 4 }, figure(last[1])));
  }
  const rule = draw("path", { class: "pn-rule", visibility: "hidden" });
  const dot = draw("circle", { class: "pn-dot", r: 3, visibility: "hidden" });
  const said = draw("text", { class: "pn-last pn-said", y: TOP + 6, visibility: "hidden" });
  svg.append(rule, dot, said);
  const mark = (step) => {
    const shown = step !== null && real.length > 0;
    for (const node of [rule, dot, said]) node.setAttribute("visibility", shown ? "visible" : "hidden");
    if (!shown) return;
    let near = real[0];
    for (const point of real) if (Math.abs(point[0] - step) < Math.abs(near[0] - step)) near = point;
    const at = x(near[0]);
    rule.setAttribute("d", `M${at} ${TOP}V${HIGH - BOTTOM}`);
    dot.setAttribute("cx", at);
    dot.setAttribute("cy", y(near[1]));
    said.setAttribute("x", at + (at > WIDE / 2 ? -6 : 6));
    said.setAttribute("text-anchor", at > WIDE / 2 ? "end" : "start");
    said.textContent = `step ${figure(near[0])}: ${figure(near[1])}`;
  };
  const stepAt = (event) => {
    const box = svg.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * WIDE;
    const share = (place - LEFT) / (WIDE - RIGHT - LEFT);
    return points[0][0] + Math.min(1, Math.max(0, share)) * (points[points.length - 1][0] - points[0][0]);
  };
  return { svg, mark, stepAt };
}

function table(state) {
  const against = state.word !== "";
  const heads = ["metric", state.step === null ? "last" : `step ${state.step}`, ...(against ? ["change", state.word] : [])];
  const head = make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", class: i ? "pn-num" : "" }, cut(text, 24))));
  const rows = state.metrics.map((metric) => {
    const cells = [make("th", { scope: "row", class: "pn-muted", title: visible(metric.heading) }, cut(metric.heading, 40)),
      make("td", { class: "pn-num pn-strong" }, cut(metric.value, 40))];
    if (against) cells.push(make("td", { class: "pn-num" }, metric.change || "–"), make("td", { class: "pn-num pn-muted" }, cut(metric.other, 40)));
    return make("tr", {}, ...cells);
  });
  return make("table", { class: "pn-t", role: "table" }, make("thead", {}, head), make("tbody", {}, ...rows));
}

function chips(state) {
  return make("div", { class: "pn-c" }, ...state.params.map(([key, value]) =>
    make("span", { title: visible(`${key} = ${value}`) }, make("i", {}, cut(key, 40)), " ", make("b", {}, cut(value, 40)))));
}

// One region for the whole page, so that what it says outlives the block that said it.
function announce(text) {
  let region = document.getElementById("pn-announcer");
  if (!region) {
    region = make("div", { id: "pn-announcer", "aria-live": "polite", style:
      "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap" });
    document.body.append(region);
  }
  region.textContent = text;
}

export default {
  render({ model, el }) {
    const ring = make("span", { class: "pn-m pn-run", role: "img", "aria-label": "running", title: "running" });
    const name = make("b", { class: "pn-strong" });
    const told = make("span", { class: "pn-muted" });
    const time = make("span", { class: "pn-muted" });
    const load = make("span", { class: "pn-muted pn-end" });
    const status = make("div", { class: "pn-l pn-s" }, ring, name, make("span", {}, "running"), told, time, load);
    const charts = make("div", { class: "pn-charts" });
    const below = make("div", { class: "pn-2" });
    el.append(make("div", { class: "pn pn-live", role: "group" }, status, charts, below));
    let at = 0, elapsed = 0, step = null, drawn = [];

    const tick = () => { time.textContent = clock(elapsed + (performance.now() - at) / 1000); };
    const mark = (value) => { step = value; for (const each of drawn) each.mark(value); };
    const show = () => {
      const state = model.get("state");
      at = performance.now();
      elapsed = state.elapsed;
      name.replaceChildren(make("code", { title: visible(state.name) }, cut(state.name, 48)));
      told.textContent = state.points ? (state.step === null ? `${state.points} points` : `step ${state.step}`) : "no metric yet";
      load.textContent = state.load;
      drawn = state.curves.filter((curve) => curve.points.length > 1 && curve.points.some((point) => point[1] !== null))
        .map((curve) => chart(curve, state.word));
      for (const each of drawn) {
        each.svg.addEventListener("pointermove", (event) => mark(each.stepAt(event)));
        each.svg.addEventListener("pointerleave", () => mark(null));
      }
      charts.replaceChildren(...drawn.map((each) => each.svg));
      if (step !== null) mark(step);
      const hint = make("div", { class: "pn-n" }, "Log a metric with ", make("code", {}, "%log rmse=value --step i"));
      const note = make("div", { class: "pn-n" }, "Every point shown is already on disk.");
      const metrics = state.metrics.length ? [table(state)] : [];
      below.replaceChildren(...metrics, make("div", {}, chips(state), state.metrics.length ? note : hint));
      tick();
    };
    show();
    announce(`${visible(model.get("state").name)} running`);
    model.on("change:state", show);
    const timer = setInterval(tick, 1000);
    return () => {
      clearInterval(timer);
      model.off("change:state", show);
      announce(`${visible(model.get("state").name)} ended`);
    };
  },
};
