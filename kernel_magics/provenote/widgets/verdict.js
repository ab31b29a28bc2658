// The findings of a verdict: filtered, sorted and opened in the browser; only the rows in sight are drawn.
// One tab stop (role=grid) for the rows: the focus stays on it and aria-activedescendant moves. Every text is
// a text node. Behind this file `parts.js` is joined to it.

const ORDER = ["error", "failed", "not judged", "skipped", "passed"];
const SIGNS = { error: ["!", "error"], failed: ["✗", "error"], "not judged": ["▲", "warn"], skipped: ["–", "muted"], passed: ["✓", "ok"] };
const BUTTONS = ["failed", "error", "not judged", "passed", "skipped"];
const LINE = 28, AROUND = 6, FITS = 12, WIDE = 110;

const badge = (outcome) => make("span", { class: `pn-m pn-${SIGNS[outcome][1]}`, "aria-hidden": "true" }, SIGNS[outcome][0]);
const quiet = (node) => { node.setAttribute("data-lm-suppress-shortcuts", "true"); return node; };
const button = (attributes, ...inner) => quiet(make("button", { type: "button", ...attributes }, ...inner));
const many = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// The value, its interval and its limit on a scale of their own: units differ from row to row.
function bar(one) {
  const points = [one.value, one.limit, ...(one.interval || [])].filter((each) => each !== null);
  if (one.value === null || points.length < 2) return "";
  const low = Math.min(...points), span = Math.max(...points) - low;
  const x = (value) => (span > 0 ? 8 + ((value - low) / span) * (WIDE - 16) : WIDE / 2);
  const svg = document.createElementNS(SVG, "svg");
  const add = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    svg.append(node);
  };
  for (const [name, value] of Object.entries({ width: WIDE, height: 18, class: `pn-vbar pn-v-${SIGNS[one.outcome][1]}`, "aria-hidden": "true" })) svg.setAttribute(name, value);
  add("path", { class: "pn-rule", d: `M4 9H${WIDE - 4}` });
  if (one.interval) add("rect", { class: "pn-reach", x: x(one.interval[0]), y: 6, width: Math.max(1, x(one.interval[1]) - x(one.interval[0])), height: 6 });
  if (one.limit !== null) add("path", { class: "pn-limit", d: `M${x(one.limit)} 1V17` });
  add("circle", { cx: x(one.value), cy: 9, r: 3.5 });
  return svg;
}

// Copy what is seen, and say so; where the page may not, mark it for the keys of the reader.
async function copy(code, told) {
  const text = code.textContent;
  try { await navigator.clipboard.writeText(text); told.textContent = "Copied"; }
  catch {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    told.textContent = document.execCommand("copy") ? "Copied" : "Marked: press Ctrl+C";
  }
  setTimeout(() => { told.textContent = ""; }, 2000);
}

function copied(text, what) {
  const code = make("code", {}, visible(text)), told = make("span", { class: "pn-muted", role: "status" });
  const press = button({ class: "pn-btn pn-copy", "aria-label": `Copy ${what}` }, "Copy");
  press.addEventListener("click", () => copy(code, told));
  return make("span", { class: "pn-copied" }, code, press, told);
}

// A sentence with its commands in back quotes, each with a button.
function mended(text) {
  const line = make("div", { class: "pn-vmend" });
  text.split(/`([^`]+)`/).forEach((piece, at) => line.append(at % 2 ? copied(piece, "the command") : visible(piece)));
  return line;
}

function facts(pairs) {
  const list = make("dl", { class: "pn-d" });
  for (const [name, text, digest] of pairs)
    list.append(make("dt", { class: "pn-muted" }, visible(name)), make("dd", {}, digest ? copied(text, visible(name)) : visible(text)));
  return list;
}

function evidence(block) {
  if (block.facts) return facts(block.facts);
  const head = make("tr", {}, ...block.columns.map((name, at) => make("th", { scope: "col", class: block.right[at] ? "pn-num" : "" }, visible(name))));
  const rows = block.rows.map((row) => make("tr", {}, ...row.map((text, at) => make("td", { class: block.right[at] ? "pn-num" : "" }, visible(text)))));
  const table = make("table", { class: "pn-t" }, make("caption", {}, visible(block.caption)), make("thead", {}, head), make("tbody", {}, ...rows));
  const left = block.left ? [make("div", { class: "pn-muted pn-vmore" }, `and ${many(block.left, "more row")}`)] : [];
  return make("div", { class: "pn-vrows" }, table, ...left);
}

function opened(one) {
  const parts = [make("div", { class: "pn-vwhy" }, visible(one.why || "No reason was told."))];
  if (one.mend) parts.push(mended(one.mend));
  const [value, limit, around] = one.texts;
  const figures = [["value", value], ["interval", around], ["limit", limit]].filter(([, text]) => text && text !== "–");
  if (figures.length > 1) parts.push(facts(figures));
  return [...parts, ...one.blocks.map(evidence)];
}

function findings({ model, el }) {
  const uid = `pn${Math.random().toString(36).slice(2, 9)}`;
  const now = { verdict: 0, only: new Set(), text: "", sort: ["outcome", false], lines: [], active: 0, open: new Map(), nodes: new Map(), tops: [] };
  const all = () => model.get("state").verdicts;
  const verdict = () => all()[now.verdict];

  const choice = quiet(make("select", { class: "pn-btn", "aria-label": "Which verdict" }));
  const bar_ = make("div", { class: "pn-bar" });
  const filters = new Map(BUTTONS.map((outcome) => [outcome, button({ class: "pn-btn", "aria-pressed": "false" })]));
  const query = quiet(make("input", { class: "pn-query", type: "search", placeholder: "Filter by text", "aria-label": "Filter by text in name and reason", spellcheck: "false", autocomplete: "off" }));
  const count = make("span", { class: "pn-muted pn-end", role: "status" });
  const first = make("div", { class: "pn-l pn-vhead" });
  const head = make("div", { class: "pn-gr pn-ghead", role: "row", "aria-rowindex": 1 });
  const space = make("div", { class: "pn-space", role: "rowgroup" });
  const grid = quiet(make("div", { class: "pn-grid", role: "grid", tabindex: 0, "aria-label": "Findings", "aria-describedby": `${uid}-keys`, "aria-colcount": 6 }, head, space));
  const empty = make("div", { class: "pn-f pn-empty" });
  const under = make("div", { class: "pn-vunder" });
  const keysTold = make("div", { class: "pn-f pn-vkeys", id: `${uid}-keys` }, "Arrow keys move, Enter opens a row, / filters");
  bar_.append(make("span", { class: "pn-vfilters", role: "group", "aria-label": "Outcome" }, ...filters.values()), query, count);
  el.append(make("div", { class: "pn pn-board pn-verdict", role: "group", "aria-label": "Verdict" }, first, bar_, grid, empty, under, keysTold));

  function show() {
    now.open.clear();
    now.lines = []; // those of another verdict
    now.active = 0;
    grid.scrollTop = 0;
    const one = verdict();
    for (const node of now.nodes.values()) node.remove();
    now.nodes.clear();
    for (const [outcome, press] of filters) {
      const found = one.findings.filter((each) => each.outcome === outcome).length;
      press.replaceChildren(badge(outcome), ` ${found.toLocaleString("en")} ${outcome}`);
      press.disabled = !found && !now.only.has(outcome);
    }
    const title = make("span", { class: "pn-vtitle", title: visible(one.title) }, cut(one.title || "Verdict", 90));
    first.replaceChildren(badge(one.outcome), all().length > 1 ? choice : title, make("span", { class: "pn-strong" }, one.outcome));
    grid.classList.toggle("pn-bare", one.findings.every((each) => each.limit === null && !each.interval));
    const left = one.left ? [make("div", { class: "pn-f" }, `${many(one.left, "more finding")} in \`--json\``)] : [];
    under.replaceChildren(...left);
    if (one.subject.length) under.append(make("details", {}, quiet(make("summary", {}, "What was tested")), facts(one.subject)));
    arrange();
  }

  function arrange() {
    const [key, down] = now.sort, words = now.text.toLowerCase().split(/\s+/).filter(Boolean);
    const list = verdict().findings;
    const fits = (one) => (!now.only.size || now.only.has(one.outcome)) && words.every((word) => `${one.name} ${one.why}`.toLowerCase().includes(word));
    const rank = key === "name" ? (a, b) => list[a].name.localeCompare(list[b].name, "en", { numeric: true }) : (a, b) => ORDER.indexOf(list[a].outcome) - ORDER.indexOf(list[b].outcome);
    const held = now.lines[now.active];
    now.lines = [...list.keys()].filter((at) => fits(list[at])).sort((a, b) => (down ? -rank(a, b) : rank(a, b)) || a - b);
    now.active = Math.max(0, now.lines.indexOf(held));
    for (const [outcome, press] of filters) press.setAttribute("aria-pressed", now.only.has(outcome));
    const many_ = now.lines.length === list.length ? many(list.length, "finding") : `${now.lines.length.toLocaleString("en")} of ${many(list.length, "finding")}`;
    count.textContent = many_;
    empty.textContent = now.lines.length ? "" : list.length ? "No finding fits the filter." : "No test ran.";
    grid.setAttribute("aria-rowcount", now.lines.length + 1);
    heads();
    place();
  }

  function heads() {
    const cell = (name, key, classes = "") => {
      const way = now.sort[0] !== key ? "none" : now.sort[1] ? "descending" : "ascending";
      const made = make("div", { class: `pn-gc ${classes}`, role: "columnheader" });
      if (!key) { made.append(name); return made; }
      made.setAttribute("aria-sort", way);
      const press = button({ class: "pn-vsort", title: "Press to sort" }, name, way === "none" ? "" : way === "ascending" ? " ▲" : " ▼");
      press.addEventListener("click", () => { now.sort = [key, way === "ascending"]; arrange(); head.querySelector(`[data-key=${key}]`).focus(); });
      press.dataset.key = key;
      made.append(press);
      return made;
    };
    head.replaceChildren(cell("outcome", "outcome"), cell("test", "name"), cell("value", "", "pn-num"), cell("interval and limit", "", "pn-vfig"), cell("limit", "", "pn-num pn-vlimit"), cell("why", "", "pn-vreason"));
  }

  // Where each row begins: those that are open take what their evidence needs.
  function place() {
    let top = 0;
    now.tops = now.lines.map((at) => { const here = top; top += LINE + (now.open.get(at) || 0); return here; });
    space.style.height = `${top}px`;
    grid.style.maxHeight = `${(FITS + 1) * LINE + (now.open.size ? 240 : 0)}px`;
    draw();
  }

  function lineAt(offset) {
    let low = 0, high = now.tops.length - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; if (now.tops[middle] <= offset) low = middle; else high = middle - 1; }
    return low;
  }

  function draw() {
    const from = Math.max(0, lineAt(grid.scrollTop) - AROUND);
    const to = Math.min(now.lines.length, lineAt(grid.scrollTop + (grid.clientHeight || FITS * LINE)) + AROUND + 1);
    const wanted = new Set(now.lines.slice(from, to));
    for (const [at, node] of now.nodes) if (!wanted.has(at) && !(node.contains(document.activeElement) && now.lines.includes(at))) { node.remove(); now.nodes.delete(at); }
    let grew = false;
    for (let line = from; line < to; line++) {
      const at = now.lines[line];
      let node = now.nodes.get(at);
      if (!node) { node = rowOf(at); now.nodes.set(at, node); }
      node.style.top = `${now.tops[line]}px`;
      node.firstChild.setAttribute("aria-rowindex", line + 2);
      const after = space.children[line - from];
      if (after !== node && !node.contains(document.activeElement)) space.insertBefore(node, after || null);
      if (now.open.has(at)) {
        const high = node.lastChild.offsetHeight;
        if (high && high !== now.open.get(at)) { now.open.set(at, high); grew = true; }
      }
    }
    mark();
    if (grew) place();
  }

  function rowOf(at) {
    const one = verdict().findings[at], [value, limit, around] = one.texts;
    const cell = (classes, text, title) => make("div", { class: `pn-gc ${classes}`, role: "gridcell", title: visible(title ?? text) }, typeof text === "string" ? cut(text, 400) : text);
    const row = make("div", { class: "pn-gr", role: "row", id: `${uid}-${at}`, "aria-expanded": now.open.has(at) },
      make("div", { class: `pn-gc pn-${SIGNS[one.outcome][1] === "ok" ? "plain" : SIGNS[one.outcome][1]}`, role: "gridcell" }, make("span", { class: "pn-vcaret", "aria-hidden": "true" }), badge(one.outcome), one.outcome),
      cell("pn-vname", one.name), cell(`pn-num pn-${one.value === null ? "muted" : "strong"}`, value),
      make("div", { class: "pn-gc pn-vfig", role: "gridcell", title: visible([value, around, limit === "–" ? "" : `limit ${limit}`].filter(Boolean).join(", ")), "aria-label": around || "no interval" }, bar(one)),
      cell(`pn-num pn-vlimit${one.limit === null ? " pn-muted" : ""}`, limit), cell("pn-muted pn-vreason", one.why));
    row.addEventListener("click", () => { now.active = now.lines.indexOf(at); if (getSelection().isCollapsed) toggle(at); });
    const outer = make("div", { class: "pn-vrow", role: "presentation" }, row);
    if (now.open.has(at)) outer.append(detail(at));
    return outer;
  }

  function detail(at) {
    const one = verdict().findings[at];
    const inner = make("div", { role: "gridcell", "aria-colspan": 6, class: "pn-vopen" }, ...opened(one));
    return make("div", { class: "pn-vdetail", role: "row", "aria-label": `Evidence of ${visible(one.name)}` }, inner);
  }

  function toggle(at, open = !now.open.has(at)) {
    if (open === now.open.has(at)) return;
    const node = now.nodes.get(at);
    if (open) { now.open.set(at, 0); if (node) node.append(detail(at)); }
    else { now.open.delete(at); if (node) node.querySelector(".pn-vdetail").remove(); }
    if (node) node.firstChild.setAttribute("aria-expanded", open);
    place();
    if (open) reveal();
  }

  // Keep the row in sight, and as much of what it opened as there is room for.
  function reveal() {
    const top = now.tops[now.active], room = grid.clientHeight - head.offsetHeight;
    const end = top + LINE + (now.open.get(now.lines[now.active]) || 0);
    if (end > grid.scrollTop + room) grid.scrollTop = end - room;
    if (top < grid.scrollTop) grid.scrollTop = top;
    draw();
  }

  function mark() {
    for (const cell of space.querySelectorAll(".pn-here")) cell.classList.remove("pn-here");
    const row = now.nodes.get(now.lines[now.active])?.firstChild;
    if (row?.isConnected) { row.classList.add("pn-here"); grid.setAttribute("aria-activedescendant", row.id); }
    else grid.removeAttribute("aria-activedescendant");
  }

  function go(line) { if (now.lines.length) { now.active = Math.max(0, Math.min(now.lines.length - 1, line)); reveal(); } }
  const here = () => now.lines[now.active];
  const keys = {
    ArrowDown: () => go(now.active + 1), ArrowUp: () => go(now.active - 1),
    PageDown: () => go(now.active + FITS - 1), PageUp: () => go(now.active - FITS + 1),
    Home: () => go(0), End: () => go(now.lines.length - 1),
    Enter: () => here() !== undefined && toggle(here()), " ": () => here() !== undefined && toggle(here()),
    ArrowRight: () => here() !== undefined && toggle(here(), true), ArrowLeft: () => here() !== undefined && toggle(here(), false),
    Escape: () => here() !== undefined && toggle(here(), false), "/": () => query.focus(),
  };
  el.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.target !== grid) {
      if (event.key === "Escape" && event.target !== choice) { event.preventDefault(); grid.focus(); }
      return;
    }
    const act = event.altKey || event.ctrlKey || event.metaKey ? null : keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  for (const [outcome, press] of filters) press.addEventListener("click", () => { if (!now.only.delete(outcome)) now.only.add(outcome); arrange(); });
  query.addEventListener("input", () => { now.text = query.value; grid.scrollTop = 0; arrange(); });
  query.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); grid.focus(); } });
  choice.addEventListener("change", () => { now.verdict = Number(choice.value); show(); });
  grid.addEventListener("scroll", () => requestAnimationFrame(draw));
  grid.addEventListener("focus", mark);
  const sized = new ResizeObserver(() => requestAnimationFrame(draw)); // a wider line wraps less
  sized.observe(grid);

  const begin = () => {
    now.verdict = Math.min(now.verdict, all().length - 1);
    choice.replaceChildren(...all().map((one, at) => { const made = make("option", {}, cut(one.title, 90)); made.value = at; return made; }));
    choice.value = now.verdict;
    show();
  };
  model.on("change:state", begin);
  begin();
  return () => { model.off("change:state", begin); sized.disconnect(); };
}

export default { render: findings };
