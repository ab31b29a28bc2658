/** How numbers, times and foreign text look. Pure functions. */

import { Value, Values } from './runs';

const NARROW = '\u202f'; // narrow no-break space, before units
const MINUS = '\u2212';
export const NONE = '\u2013';

/**
 * Control characters, and marks that change the direction or are not seen: a name must not be able to hide
 * or reorder what stands beside it.
 */
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Foreign text as one line in which nothing is hidden. */
export function visible(text: string): string {
  return text.replace(
    UNSEEN,
    mark => `[U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`
  );
}

/** A number of a value; NaN and infinities travel as strings. Null when it is none. */
export function numeric(value: Value | undefined): number | null {
  if (typeof value === 'number') {
    return value;
  }
  if (typeof value === 'boolean') {
    return value ? 1 : 0;
  }
  if (typeof value === 'string' && /^([-+]?(inf|infinity)|nan)$/i.test(value)) {
    return /nan/i.test(value) ? NaN : value.startsWith('-') ? -Infinity : Infinity;
  }
  return null;
}

/** How many decimals a column needs so that three digits vary between its values; -1 asks for exponents. */
export function decimals(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0 || finite.every(Number.isInteger)) {
    return 0;
  }
  finite.sort((a, b) => a - b);
  // The middle four fifths: one wild value must not take the digits from all others.
  const low = finite[Math.floor(finite.length * 0.1)];
  const high = finite[Math.ceil(finite.length * 0.9) - 1];
  const spread = high > low ? high - low : Math.abs(high) || Math.abs(finite[finite.length - 1]) || 1;
  const needed = 2 - Math.floor(Math.log10(spread / 1.5)); // a spread of 10.4 is one of units, still
  return needed > 9 || Math.abs(high) >= 1e12 ? -1 : Math.max(0, needed);
}

/** A number with a fixed count of decimals, as `decimals` gives it. */
export function formatNumber(value: number, digits: number): string {
  if (Number.isNaN(value)) {
    return 'NaN';
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? 'inf' : `${MINUS}inf`;
  }
  const words =
    digits < 0
      ? value.toExponential(2)
      : value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return words.replace('-', MINUS);
}

/** Any value in full, as it may be typed; numbers without rounding. */
export function formatValue(value: Value): string {
  if (typeof value === 'string') {
    return visible(value);
  }
  return typeof value === 'object' && value !== null ? visible(JSON.stringify(value)) : String(value);
}

/** Nested values as `[path, value]` with dots; empty maps and lists stay values. */
export function flatten(values: Values, prefix = ''): [string, Value][] {
  return Object.entries(values).flatMap(([key, value]): [string, Value][] => {
    const path = prefix ? `${prefix}.${key}` : key;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap && Object.keys(value).length > 0 ? flatten(value as Values, path) : [[path, value]];
  });
}

/** A time span in its largest unit: `12 m`. */
export function formatSpan(seconds: number): string {
  const units: [number, string][] = [
    [86400 * 365, 'y'],
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's']
  ];
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, 's'];
  return `${Math.floor(Math.max(0, seconds) / size)}${NARROW}${unit}`;
}

/** How long ago a run started, `now` in its first seconds; a clock that went back does not show. */
export function formatAge(started: number, now: number): string {
  return now - started < 10 ? 'now' : formatSpan(now - started);
}

/** A time in full, by the locale. */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString();
}

/** A time as it is read at a glance: the clock today, the date before. */
export function formatWhen(seconds: number, now: number): string {
  const time = new Date(seconds * 1000);
  return time.toDateString() === new Date(now * 1000).toDateString()
    ? time.toLocaleTimeString()
    : time.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** A name in two parts: the first may be cut where there is no room, the last, unique one never. */
export function splitName(name: string): [string, string] {
  const cut = name.lastIndexOf('-');
  return cut > 0 && name.length - cut <= 6 ? [name.slice(0, cut), name.slice(cut)] : [name, ''];
}

/** The line of an error as a sentence: with a capital, and one full stop. */
export function sentence(line: string): string {
  return `${line.charAt(0).toUpperCase()}${line.slice(1).replace(/\.$/, '')}.`;
}

/** A text in pieces, those in back quotes apart: they are what can be typed. */
export function pieces(text: string): { text: string; code: boolean }[] {
  return text
    .split('`')
    .map((piece, index) => ({ text: visible(piece), code: index % 2 === 1 }))
    .filter(piece => piece.text !== '');
}
