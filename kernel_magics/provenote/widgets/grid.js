// The table of %runs: windowed rows, sorted and selected in the browser, filtered and grouped by the kernel.
// One tab stop (role=grid); the focus stays on it and aria-activedescendant moves. Every text is a text node.
// Behind this file `columns.js` and `parts.js` are joined to it: decoding and sorting, and the pieces of a row.

const HIGH = 24, BEYOND = 8, ROWS = 11;

function board({ model, el }) {
  const uid = `pn${Math.random().toString(36).slice(2, 9)}`;
  const table = new Columns(model.get("table"));
  const refresh = { order: [], lines: [], open: new Set(), active: [0, 0], anchor: null, widths: new Map() };
  const ui = frame(model, uid);
  el.append(ui.root);

  const view = () => model.get("view");
  const grouped = () => model.get("groups").rows || null;
  const chosen = () => model.get("selected");
  const keep = (name, value) => { model.set(name, value); model.save_changes(); };
  const columns = () => (grouped() ? groupColumns(model.get("groups"), table) : view().columns.map((key) => table.column(key)).filter(Boolean));

  // Which lines stand in the grid, from top to bottom.
  function arrange() {
    const groups = grouped();
    const sort = model.get("sort");
    if (groups) {
      const all = columns();
      const order = ordered([...groups.keys()], sort, (key) => {
        const at = all.findIndex((column) => column.key === key);
        return at < 0 ? null : (i) => groups[i].values[at];
      });
      refresh.lines = order.flatMap((i) => [{ group: i }, ...(refresh.open.has(groups[i].id) ? groups[i].members.map((row) => ({ group: i, row })) : [])]);
    } else {
      const rows = ordered(indices(view().shown), sort, (key) => table.values(key));
      const pinned = model.get("pinned").map((id) => table.place(id)).filter((row) => row !== undefined);
      refresh.lines = [...pinned, ...rows.filter((row) => !pinned.includes(row))].map((row, at) => ({ row, pinned: at < pinned.length }));
    }
    refresh.active[0] = Math.min(refresh.active[0], refresh.lines.length - 1);
    ui.grid.setAttribute("aria-rowcount", refresh.lines.length + 1);
    ui.space.style.height = `${refresh.lines.length * HIGH}px`;
    ui.grid.style.maxHeight = `${(ROWS + 1) * HIGH + 1}px`;
    head();
    draw();
  }

  function head() {
    const all = columns(), sort = model.get("sort");
    ui.grid.setAttribute("aria-colcount", all.length + 1);
    const widths = all.map((column) => widthOf(column, refresh.lines, table, grouped(), refresh.widths));
    ui.grid.style.setProperty("--pn-columns", `${grouped() ? 26 : 62}px ${widths.map((wide) => `${wide}px`).join(" ")} 1fr`);
    ui.space.style.minWidth = ui.head.style.minWidth = `${widths.reduce((a, b) => a + b, grouped() ? 26 : 62)}px`;
    ui.head.replaceChildren(make("div", { class: "pn-gc", role: "columnheader", "aria-label": grouped() ? "open" : "selected" }), ...all.map((column, at) => {
      const place = sort.findIndex(([key]) => key === column.key);
      const way = place < 0 ? "none" : sort[place][1] ? "descending" : "ascending";
      const arrow = place < 0 ? "" : ` ${sort[place][1] ? "▼" : "▲"}${sort.length > 1 ? place + 1 : ""}`;
      const cell = make("div", { class: `pn-gc${column.align === "right" ? " pn-num" : ""}${place < 0 ? "" : " pn-strong"}${first(all, at)}`, role: "columnheader", "aria-sort": way, id: `${uid}-h${at}`, "aria-colindex": at + 2, title: `${visible(column.heading)}: press to sort, with Shift to add` });
      cell.append(make("span", {}, cut(column.heading, column.strip ? 40 : 24)), arrow);
      cell.addEventListener("click", (event) => resort(column, event.shiftKey));
      return cell;
    }));
  }

  function resort(column, add) {
    const sort = model.get("sort");
    const known = sort.find(([key]) => key === column.key);
    const next = [column.key, known ? !known[1] : column.best === "higher"];
    keep("sort", add ? [...sort.filter(([key]) => key !== column.key), next] : [next]);
  }

  function draw() {
    const top = Math.max(0, Math.floor(ui.grid.scrollTop / HIGH) - BEYOND);
    const end = Math.min(refresh.lines.length, top + ROWS + 2 * BEYOND + 1);
    const all = columns(), groups = grouped(), picked = new Map(chosen().map((id, at) => [id, at]));
    const rows = [];
    for (let at = top; at < end; at++) rows.push(lineOf(at, all, groups, picked));
    ui.space.replaceChildren(...rows);
    mark();
    const seen = Math.floor(ui.grid.scrollTop / HIGH), fits = Math.min(ROWS, refresh.lines.length);
    ui.told.textContent = refresh.lines.length > ROWS
      ? `rows ${(seen + 1).toLocaleString("en")} to ${Math.min(refresh.lines.length, seen + fits).toLocaleString("en")} of ${refresh.lines.length.toLocaleString("en")}, scroll for more. ${view().note}` : view().note;
    ui.empty.textContent = refresh.lines.length ? "" : view().empty;
    ui.count.textContent = `${view().count}${picked.size ? `, ${picked.size} selected` : ""}`;
    ui.legend.replaceChildren(...chosen().slice(0, 6).map((id, at) => legend(table, id, at)));
    ui.compare.disabled = picked.size < 2;
    ui.compare.textContent = picked.size < 2 ? "Compare" : `Compare ${picked.size}`;
  }

  function lineOf(at, all, groups, picked) {
    const line = refresh.lines[at];
    const row = make("div", { class: "pn-gr", role: "row", "aria-rowindex": at + 2, style: `top:${at * HIGH}px` });
    if (groups && line.row === undefined) {
      const group = groups[line.group], open = refresh.open.has(group.id);
      row.setAttribute("aria-expanded", open);
      const caret = make("div", { class: "pn-gc pn-caret", role: "gridcell" }, open ? "▾" : "▸");
      row.append(caret, ...all.map((column, i) => groupCell(column, group, i, `${uid}-${at}-${i}`)));
      row.addEventListener("click", () => { refresh.active = [at, 0]; toggleGroup(group); });
      return row;
    }
    const id = table.ids[line.row], place = picked.get(id);
    row.dataset.run = id;
    row.setAttribute("aria-selected", place !== undefined);
    if (place !== undefined) row.classList.add("pn-on");
    if (line.pinned) row.classList.add("pn-pinned");
    const box = make("div", { class: "pn-gc pn-pick", role: "gridcell", "aria-label": place === undefined ? "not selected" : "selected" },
      make("span", { class: "pn-box" }, place === undefined ? "" : "✓"), place !== undefined && place < 6 ? sign(place) : line.pinned ? make("span", { class: "pn-flag", title: "kept on top" }, "⚑") : "");
    box.addEventListener("click", (event) => { event.stopPropagation(); refresh.active = [at, 0]; event.shiftKey ? range(at) : toggle(id, at); });
    row.append(box, ...all.map((column, i) => (groups ? memberCell(column, table, line.row, `${uid}-${at}-${i}`) : cellOf(column, table, line.row, `${uid}-${at}-${i}`, first(all, i)))));
    row.addEventListener("click", (event) => {
      const i = [...row.children].findIndex((cell) => cell.contains(event.target)) - 1;
      refresh.active = [at, Math.max(0, i)];
      if (event.ctrlKey || event.metaKey) toggle(id, at); else if (event.shiftKey) range(at); else mark();
    });
    return row;
  }

  function mark() {
    for (const cell of el.querySelectorAll(".pn-here")) cell.classList.remove("pn-here");
    const [line, column] = refresh.active;
    const id = line < 0 ? `${uid}-h${column}` : `${uid}-${line}-${column}`;
    const cell = ui.root.querySelector(`#${id}`);
    if (cell) { cell.classList.add("pn-here"); ui.grid.setAttribute("aria-activedescendant", id); } else ui.grid.removeAttribute("aria-activedescendant");
  }

  function go(line, column) {
    refresh.active = [Math.max(-1, Math.min(refresh.lines.length - 1, line)), Math.max(0, Math.min(columns().length - 1, column))];
    const top = refresh.active[0] * HIGH, room = ui.grid.clientHeight - ui.head.offsetHeight - HIGH;
    if (refresh.active[0] >= 0) {
      if (top < ui.grid.scrollTop) ui.grid.scrollTop = top;
      else if (top > ui.grid.scrollTop + room) ui.grid.scrollTop = top - room;
    }
    draw();
  }

  const idAt = (at) => (refresh.lines[at] && refresh.lines[at].row !== undefined ? table.ids[refresh.lines[at].row] : null);
  function toggle(id, at) {
    refresh.anchor = at;
    keep("selected", chosen().includes(id) ? chosen().filter((each) => each !== id) : [...chosen(), id]);
  }
  function range(at) {
    const from = refresh.anchor ?? refresh.active[0];
    const ids = [];
    for (let i = Math.min(from, at); i <= Math.max(from, at); i++) if (idAt(i)) ids.push(idAt(i));
    keep("selected", [...new Set([...chosen(), ...ids])]);
  }
  function pin(id) {
    const pinned = model.get("pinned");
    keep("pinned", pinned.includes(id) ? pinned.filter((each) => each !== id) : [...pinned, id]);
  }
  function toggleGroup(group) {
    if (!refresh.open.delete(group.id)) refresh.open.add(group.id);
    arrange();
  }

  const keys = {
    ArrowDown: (event, [line, column]) => { step(event, line, line + 1, column); },
    ArrowUp: (event, [line, column]) => { step(event, line, line - 1, column); },
    ArrowRight: (event, [line, column]) => go(line, column + 1),
    ArrowLeft: (event, [line, column]) => go(line, column - 1),
    Home: (event, [line, column]) => go(event.ctrlKey ? 0 : line, event.ctrlKey ? column : 0),
    End: (event, [line, column]) => go(event.ctrlKey ? refresh.lines.length - 1 : line, event.ctrlKey ? column : 999),
    PageDown: (event, [line, column]) => go(line + ROWS - 1, column),
    PageUp: (event, [line, column]) => go(Math.max(0, line - ROWS + 1), column),
    " ": (event, [line]) => { const id = idAt(line); if (id) toggle(id, line); else if (line >= 0) press(line); },
    Enter: (event, [line, column]) => (line < 0 ? resort(columns()[column], event.shiftKey) : press(line)),
    b: (event, [line]) => { const id = idAt(line); if (id) pin(id); },
    c: () => ui.compare.disabled || ui.compare.click(),
    "/": () => ui.query.focus(),
    Escape: () => keep("selected", []),
  };
  function step(event, line, next, column) {
    if (event.shiftKey && line >= 0) {
      if (refresh.anchor === null) refresh.anchor = line;
      range(line);
      if (idAt(next)) { go(next, column); range(next); }
    } else go(next, column);
  }
  function press(line) {
    const { group, row } = refresh.lines[line] || {};
    if (group !== undefined && row === undefined) toggleGroup(grouped()[group]);
  }
  ui.grid.addEventListener("keydown", (event) => {
    if (event.altKey || (event.metaKey && event.key !== "a")) return;
    let act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") act = () => keep("selected", [...new Set([...chosen(), ...refresh.lines.map((_, at) => idAt(at)).filter(Boolean)])]);
    else if (event.ctrlKey && event.key.length === 1) return;
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act(event, refresh.active);
  });
  ui.grid.addEventListener("scroll", () => requestAnimationFrame(draw));
  ui.grid.addEventListener("focus", mark);

  const told = (message, buffers) => {
    if (message.kind !== "rows") return;
    table.patch(message.rows);
    refresh.widths.clear();
    arrange();
  };
  const state = () => {
    ui.error.textContent = view().error;
    ui.query.setAttribute("aria-invalid", Boolean(view().error));
    arrange();
  };
  const again = () => { table.read(model.get("table")); refresh.widths.clear(); arrange(); };
  const heard = { "change:view": state, "change:groups": arrange, "change:sort": arrange, "change:pinned": arrange, "change:selected": draw, "change:table": again, "msg:custom": told };
  for (const [event, act] of Object.entries(heard)) model.on(event, act);
  const theme = watchTheme((dark) => model.get("dark") === dark || keep("dark", dark));
  const clock = setInterval(() => { if (!document.hidden && table.running()) draw(); }, 1000);
  model.send({ kind: "shown", on: true });
  state();
  return () => {
    for (const [event, act] of Object.entries(heard)) model.off(event, act);
    clearInterval(clock);
    theme();
    ui.stop();
    model.send({ kind: "shown", on: false });
  };
}

export default { render: board };
