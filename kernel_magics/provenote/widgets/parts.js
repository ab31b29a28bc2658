// The pieces of the table: its frame with the toolbar, cells of runs and of groups, marks, the theme.

const SVG = "http://www.w3.org/2000/svg";
const MARKS = { finished: ["✓", "ok"], failed: ["✗", "error"], killed: ["■", "warn"], running: ["◐", "run"], queued: ["·", "muted"], silent: ["◌", "warn"] };
const SHAPES = ["M3-3H-3V3H3Z", "", "M0-3.8L3.6 3H-3.6Z", "M0-4L4 0L0 4L-4 0Z", "M0 3.8L3.6-3H-3.6Z", "M-1.2-4H1.2V-1.2H4V1.2H1.2V4H-1.2V1.2H-4V-1.2H-1.2Z"];
const DASHES = ["", "6 3", "2 2", "6 2 2 2", "", "6 3"];

function make(tag, attributes = {}, ...inner) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...inner);
  return node;
}

function visible(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (mark) => "\\u" + mark.charCodeAt(0).toString(16).padStart(4, "0"));
}

function cut(text, most) {
  const shown = [...visible(text)], half = Math.floor((most - 1) / 2);
  return shown.length <= most ? shown.join("") : shown.slice(0, half).join("") + "…" + shown.slice(-half).join("");
}

// The line, dash and marker of a series, as in every plot of the view.
function sign(place) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ width: 22, height: 12, viewBox: "-11 -6 22 12", class: `pn-sign pn-series${place + 1}`, "aria-hidden": "true" })) svg.setAttribute(name, value);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", "M-11 0H11");
  line.setAttribute("stroke-dasharray", DASHES[place]);
  const dot = document.createElementNS(SVG, place ? "path" : "circle");
  if (place) dot.setAttribute("d", place === 1 ? SHAPES[0] : SHAPES[place]); else dot.setAttribute("r", 3);
  dot.setAttribute("class", "pn-dotted");
  svg.append(line, dot);
  return svg;
}

function legend(table, id, place) {
  const name = table.at("name", table.place(id)) ?? id;
  return make("span", { class: "pn-key" }, sign(place), make("code", { title: visible(name) }, cut(name, 24)));
}

function cellOf(column, table, row, id, edge) {
  const cell = make("div", { class: `pn-gc${column.align === "right" ? " pn-num" : ""}${edge}`, role: "gridcell", id });
  const value = column.values[row] ?? null;
  if (column.key === "name") {
    const state = table.at("state", row), [glyph, role] = MARKS[state] || ["", "muted"];
    cell.classList.add("pn-code");
    cell.title = visible(table.at("title", row) || "");
    cell.append(make("span", { class: `pn-m pn-${role}`, role: "img", "aria-label": state, title: visible([state, table.at("why", row)].filter(Boolean).join(", ")) }, glyph), cut(value, 40));
  } else if (column.key === "state") {
    cell.classList.add(`pn-${(MARKS[value] || ["", "muted"])[1] === "ok" ? "plain" : (MARKS[value] || ["", "muted"])[1]}`);
    cell.title = visible(table.at("why", row) || "");
    cell.append(value);
  } else if (column.key === "started") {
    const ended = table.at("ended", row);
    cell.classList.add("pn-muted");
    cell.title = `started ${new Date(value * 1000).toLocaleString()}`;
    cell.append(ended === null ? clockOf(table.now() - value) : ago(table.now() - ended));
  } else {
    const text = figure(value, column);
    if (value === null) cell.classList.add("pn-muted");
    if (column.key === "flags") cell.classList.add("pn-muted");
    cell.title = typeof value === "number" ? String(value).replace("-", "−") : visible(text);
    cell.append(cut(text, 32));
  }
  return cell;
}

// The first metric stands behind a line.
const first = (all, at) => (all[at].kind === "metrics" && all[at - 1]?.kind !== "metrics" ? " pn-edge" : "");

function groupColumns(groups, table) {
  return groups.columns.map((column) => ({ ...column, best: column.heading.includes("↑") ? "higher" : "" }));
}

function groupCell(column, group, at, id) {
  const cell = make("div", { class: `pn-gc${column.align === "right" ? " pn-num" : ""}${column.muted ? " pn-muted" : ""}${column.code ? " pn-code" : ""}`, role: "gridcell", id });
  if (column.strip) cell.append(strip(group.strip, group.values[at - 2], column));
  else { cell.title = visible(group.texts[at]); cell.append(cut(group.texts[at], 32)); }
  return cell;
}

// Each run of a group as a ring, the mean as a bar, on one scale for all groups.
function strip(values, mean, column) {
  const svg = document.createElementNS(SVG, "svg");
  const x = (value) => 5 + ((value - column.low) / (column.high - column.low || 1)) * 110;
  for (const [name, value] of Object.entries({ width: 120, height: 16, class: "pn-strip", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const add = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    svg.append(node);
  };
  add("path", { class: "pn-rule", d: "M5 8H115" });
  for (const value of values) add("circle", { cx: x(value), cy: 8, r: 2.5 });
  if (mean !== null) add("path", { class: "pn-mean", d: `M${x(mean)} 2.5V13.5` });
  return svg;
}

function memberCell(column, table, row, id) {
  const cell = make("div", { class: `pn-gc${column.align === "right" ? " pn-num" : ""}`, role: "gridcell", id });
  if (column.first) { cell.classList.add("pn-code"); cell.append(cut(table.at("name", row), 30)); }
  else if (column.member) {
    const source = table.column(column.member);
    cell.append(cut(figure(source ? source.values[row] : null, source || {}), 24));
  }
  return cell;
}

// Widths from what is written: the heading, and a sample of the lines.
const pen = document.createElement("canvas").getContext("2d");
function widthOf(column, lines, table, groups, known) {
  if (known.has(column.key)) return known.get(column.key);
  pen.font = column.code || column.key === "name" ? "12px monospace" : "12px system-ui, sans-serif";
  let wide = Math.max(column.strip ? 104 : 0, pen.measureText(cut(column.heading, column.strip ? 40 : 24) + " ▲2").width);
  const every = Math.max(1, Math.floor(lines.length / 150));
  for (let at = 0; at < lines.length; at += every) {
    const line = lines[at];
    const text = groups ? (line.row === undefined ? groups[line.group].texts[column.at] : column.first ? table.at("name", line.row) : "") : column.key === "started" ? "00:00:00" : figure(column.values[line.row] ?? null, column);
    wide = Math.max(wide, pen.measureText(cut(text ?? "", 32)).width);
  }
  const found = Math.ceil(Math.min(260, wide)) + 18 + (column.key === "name" ? 22 : 0);
  known.set(column.key, found);
  return found;
}

function watchTheme(tell) {
  const look = () => tell(document.body.dataset.jpThemeLight === "false" || document.body.classList.contains("vscode-dark"));
  const watch = new MutationObserver(look);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  look();
  return () => watch.disconnect();
}

// Toolbar, grid and foot.
function frame(model, uid) {
  const query = make("input", { class: "pn-query", type: "search", placeholder: "Filter, as metrics.rmse <= 70", "aria-label": "Filter with the query language", spellcheck: "false", autocomplete: "off", "aria-describedby": `${uid}-error` });
  query.value = model.get("query");
  const changed = make("button", { class: "pn-btn", type: "button", title: "Only parameters that differ between these runs" }, "Only changed");
  const by = make("select", { class: "pn-btn", "aria-label": "Group by" });
  const count = make("span", { class: "pn-muted pn-end", "aria-live": "polite" });
  const compare = make("button", { class: "pn-btn", type: "button" }, "Compare");
  const bar = make("div", { class: "pn-bar" }, query, changed, by, count, compare);
  const error = make("div", { class: "pn-oops", role: "status", id: `${uid}-error` });
  const head = make("div", { class: "pn-gr pn-ghead", role: "row", "aria-rowindex": 1 });
  const space = make("div", { class: "pn-space", role: "rowgroup" });
  const grid = make("div", { class: "pn-grid", role: "grid", tabindex: 0, "aria-multiselectable": "true", "aria-label": "Runs" }, head, space);
  const empty = make("div", { class: "pn-f pn-empty" });
  const told = make("span", { class: "pn-muted" }), key = make("span", { class: "pn-legend pn-end" });
  const root = make("div", { class: "pn pn-board", role: "group", "aria-label": "Runs" },
    bar, error, grid, empty, make("div", { class: "pn-l pn-under" }, told, key));

  // The shortcuts of the notebook match the focused element itself, so each one that takes the focus says no.
  for (const each of [query, changed, by, compare, grid]) each.setAttribute("data-lm-suppress-shortcuts", "true");
  const keep = (name, value) => { model.set(name, value); model.save_changes(); };
  let waiting = null;
  query.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => keep("query", query.value), 250); });
  query.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") { clearTimeout(waiting); keep("query", query.value); }
    if (event.key === "Escape") { event.preventDefault(); grid.focus(); }
  });
  changed.addEventListener("click", () => keep("only_changed", !model.get("only_changed")));
  by.addEventListener("change", () => keep("group_by", by.value ? by.value.split("\u001f") : []));
  compare.addEventListener("click", () => model.send({ kind: "compare", runs: model.get("selected") }));
  const show = () => {
    changed.setAttribute("aria-pressed", model.get("only_changed"));
    const chosen = model.get("group_by"), fields = model.get("fields");
    const option = (value, text) => { const made = make("option", {}, cut(text, 40)); made.value = value; return made; };
    by.replaceChildren(option("", "Group by"), ...fields.map((field) => option(field, `Group by: ${field}`)));
    if (chosen.length > 1) by.append(option(chosen.join("\u001f"), `Group by: ${chosen.join(", ")}`));
    by.value = chosen.join("\u001f");
    by.classList.toggle("pn-pressed", chosen.length > 0);
    if (document.activeElement !== query) query.value = model.get("query");
  };
  show();
  for (const name of ["only_changed", "group_by", "fields", "query"]) model.on(`change:${name}`, show);
  return { root, query, count, compare, error, head, space, grid, empty, told, legend: key, stop: () => ["only_changed", "group_by", "fields", "query"].forEach((name) => model.off(`change:${name}`, show)) };
}
