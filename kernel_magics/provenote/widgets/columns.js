// The columns of a table as the kernel sent them: decoding, changing, sorting, and how a value reads.

class Columns {
  constructor(sent) { this.read(sent); }

  read(sent) {
    this.ids = [...sent.ids];
    this.skew = Date.now() / 1000 - sent.now;
    this.byKey = new Map(sent.columns.map((column) => [column.key, { ...column, align: column.numeric ? "right" : "left", values: decoded(column, sent.ids.length) }]));
    this.places = new Map(this.ids.map((id, at) => [id, at]));
    for (const column of this.byKey.values()) column.best = column.heading.includes("↑") ? "higher" : "";
  }

  column(key) { return this.byKey.get(key); }
  place(id) { return this.places.get(id); }
  at(key, row) { return this.byKey.get(key)?.values[row] ?? null; }
  values(key) {
    const values = this.byKey.get(key)?.values;
    return values && ((row) => values[row]);
  }
  running() { return this.byKey.get("state").values.includes("running"); }
  now() { return Date.now() / 1000 - this.skew; }

  // Rows that changed or are new: [id, {key: value}].
  patch(rows) {
    for (const [id, cells] of rows) {
      let at = this.places.get(id);
      if (at === undefined) { at = this.ids.push(id) - 1; this.places.set(id, at); }
      for (const [key, column] of this.byKey) column.values[at] = special(cells[key] ?? null);
    }
  }
}

const SPECIAL = { NaN: NaN, inf: Infinity, "−inf": -Infinity };
const special = (value) => (typeof value === "string" && value in SPECIAL ? SPECIAL[value] : value);

function decoded(column, count) {
  if (!column.numeric) return column.values.map(special);
  const bytes = column.values, view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Array(count);
  for (let i = 0; i < count; i++) {
    const value = view.getFloat64(8 * i, true);
    found[i] = Number.isNaN(value) ? null : value;
  }
  for (const [at, word] of Object.entries(column.odd)) found[at] = special(word);
  return found;
}

function indices(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getUint32(4 * i, true));
}

// Numbers, then texts; NaN and then "has none" last in both directions. Equal ones keep their order.
function ordered(rows, sort, valuesOf) {
  const keys = sort.map(([key, down]) => [valuesOf(key), down]).filter(([values]) => values);
  if (!keys.length) return rows;
  const kind = (value) => (value === null || value === undefined ? 3 : typeof value === "number" ? (Number.isNaN(value) ? 2 : 0) : typeof value === "boolean" ? 0 : 1);
  return rows.map((row, at) => [row, at]).sort(([a, first], [b, second]) => {
    for (const [values, down] of keys) {
      const left = values(a), right = values(b), one = kind(left), other = kind(right);
      if (one !== other) return one > 1 || other > 1 || !down ? one - other : other - one;
      if (one < 2 && left !== right) { const way = left < right ? -1 : 1; return down ? -way : way; }
    }
    return first - second;
  }).map(([row]) => row);
}

// One count of decimals a column, true minus, thousands parted where the kernel parts them.
function figure(value, column) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number") return value;
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "−inf";
  const size = Math.abs(value);
  if (size && (size >= 1e9 || size < 1e-4) && !(Number.isInteger(value) && size < 1e15)) return value.toExponential(2).replace("e+", "e").replace(/-/g, "−");
  const text = size.toFixed(column.places ?? (Number.isInteger(value) ? 0 : 4));
  const parted = column.grouped && size >= 10000 ? text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",") : text;
  return value < 0 && Number(text) !== 0 ? `−${parted}` : parted;
}

function ago(seconds) {
  for (const [size, unit] of [[31536000, "y"], [1209600, "w"], [86400, "d"], [3600, "h"], [60, "m"], [1, "s"]])
    if (seconds >= size) return `${Math.floor(seconds / (unit === "w" ? 604800 : size))} ${unit}`;
  return "now";
}

function clockOf(seconds) {
  const whole = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
