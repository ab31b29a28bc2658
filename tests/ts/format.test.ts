import { expect, test } from 'vitest';

import {
  decimals,
  flatten,
  formatAge,
  formatNumber,
  formatSpan,
  formatValue,
  numeric,
  pieces,
  sentence,
  splitName,
  visible
} from '../../extension/src/format';

test.each([
  [[61.4, 63.99, 64.09, 71.89], 2],
  [[0.795, 0.801, 0.812], 4],
  [[1, 2, 300], 0],
  [[0.5], 3],
  [[1200.5, 900.25], 0],
  [[], 0],
  [[NaN, Infinity], 0],
  [[1e-12, 2e-12, 1.5e-12], -1],
  [[61.4, 62.5, 63.1, 64.2, 65.3, 66.1, 67.2, 68.3, 69.9, 1e9 + 0.5], 2]
])('%j get %i decimals', (values, expected) => {
  expect(decimals(values)).toBe(expected);
});

test('numbers have a true minus, thousands and words', () => {
  expect(formatNumber(15919.256, 1)).toBe((15919.3).toLocaleString());
  expect(formatNumber(-0.5, 2)).toBe(`\u2212${(0.5).toLocaleString(undefined, { minimumFractionDigits: 2 })}`);
  expect(formatNumber(NaN, 2)).toBe('NaN');
  expect([formatNumber(Infinity, 0), formatNumber(-Infinity, 0)]).toEqual(['inf', '\u2212inf']);
  expect(formatNumber(1.5e-12, -1)).toBe('1.50e\u221212');
});

test('NaN and infinities travel as strings; other words are no numbers', () => {
  expect(['nan', 'inf', '-inf', 'Infinity', '+inf'].map(numeric)).toEqual([NaN, Infinity, -Infinity, Infinity, Infinity]);
  expect(['info', 'nano', '', '1', null, [1], {}].map(numeric)).toEqual(Array(7).fill(null));
  expect([true, 3].map(numeric)).toEqual([1, 3]);
});

test('ages and spans are in their largest unit', () => {
  const spans = [0, 59, 60, 3599, 7200, 86400 * 11, 86400 * 800].map(formatSpan);
  expect(spans.map(span => span.replace('\u202f', ' '))).toEqual(['0 s', '59 s', '1 m', '59 m', '2 h', '11 d', '2 y']);
  expect(formatAge(100, 105)).toBe('now');
  expect(formatAge(200, 100)).toBe('now'); // the clock went back
  expect(formatAge(0, 720)).toBe('12\u202fm');
});

test('what cannot be seen is shown as its code', () => {
  expect(visible('a\u202eb\nc\u0000\u200b')).toBe('a[U+202E]b[U+000A]c[U+0000][U+200B]');
  expect(visible('Größe 模型 <b>')).toBe('Größe 模型 <b>');
  expect(formatValue({ k: 'x\u202e' })).toBe('{"k":"x[U+202E]"}');
  expect([null, true, 0.1, 'w'].map(formatValue)).toEqual(['null', 'true', '0.1', 'w']);
});

test('nested values are flattened; empty ones and lists stay', () => {
  expect(flatten({ a: 1, b: { c: { d: 'x' }, e: {} }, f: [1, { g: 2 }] })).toEqual([
    ['a', 1],
    ['b.c.d', 'x'],
    ['b.e', {}],
    ['f', [1, { g: 2 }]]
  ]);
});

test('a name is cut before its unique end', () => {
  expect(splitName('first-run-3e1d')).toEqual(['first-run', '-3e1d']);
  expect(splitName('its-last-part-is-long')).toEqual(['its-last-part-is', '-long']);
  expect(splitName('no-unique-ending')).toEqual(['no-unique-ending', '']);
  expect(splitName('-abc')).toEqual(['-abc', '']);
});

test('commands in back quotes stand apart', () => {
  expect(pieces('Start one: `provenote init`')).toEqual([
    { text: 'Start one: ', code: false },
    { text: 'provenote init', code: true }
  ]);
});

test('the line of an error becomes a sentence', () => {
  expect(['no project', 'It broke.', ''].map(sentence)).toEqual(['No project.', 'It broke.', '.']);
});
