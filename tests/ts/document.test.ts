import { createHash } from 'node:crypto';

import { expect, test } from 'vitest';

import { documentMessage, hash16, loadsProvenote, sameDocument } from '../../extension/src/document';
import { sha256 } from '../../extension/src/sha256';

const reference = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

test('the hash is SHA-256, for every length around a block and for any text', () => {
  for (let length = 0; length <= 200; length++) {
    const text = 'x'.repeat(length);
    expect(sha256(text)).toBe(reference(text));
  }
  for (const text of ['Größe', '模型 🚲', '\ud83d\ude00'.repeat(100), 'a\u0000b', 'x'.repeat(100_000)]) {
    expect(sha256(text)).toBe(reference(text));
  }
});

test('white space at the end does not count, as in Python', () => {
  const plain = reference('x = 1').slice(0, 16);
  for (const end of ['', '\n', '  \r\n\t', '\u00a0\u2003', '\u001f\u0085']) {
    expect(hash16(`x = 1${end}`)).toBe(plain);
  }
  expect(hash16(' x = 1')).not.toBe(plain);
  expect(hash16('x = 1\ufeff')).not.toBe(plain); // Python does not strip it
});

test('a message holds the cells in order, and is the same only when all is', () => {
  const cells = [
    { id: 'a', source: '1\n' },
    { id: 'b', source: '2' }
  ];
  const message = documentMessage('work/a b.ipynb', cells, 5);
  expect(message.cells).toEqual([
    ['a', reference('1').slice(0, 16)],
    ['b', reference('2').slice(0, 16)]
  ]);
  expect(sameDocument(null, message)).toBe(false);
  expect(sameDocument(message, documentMessage('work/a b.ipynb', cells, 9))).toBe(true);
  expect(sameDocument(message, documentMessage('other.ipynb', cells, 5))).toBe(false);
  expect(sameDocument(message, documentMessage('work/a b.ipynb', cells.slice(1), 5))).toBe(false);
  expect(sameDocument(message, documentMessage('work/a b.ipynb', [...cells].reverse(), 5))).toBe(false);
  expect(sameDocument(message, documentMessage('work/a b.ipynb', [cells[0], { id: 'b', source: '3' }], 5))).toBe(false);
});

test.each([
  ['%load_ext provenote', true],
  ['import pandas\n  %reload_ext provenote', true],
  ['import provenote', true],
  ['from provenote import track', true],
  ['# %load_ext provenote', false],
  ['%load_ext provenote2', false],
  ['print("import provenote")', false],
  ['import numpy, provenote_lab', false]
])('%j loads us: %s', (source, expected) => {
  expect(loadsProvenote(source)).toBe(expected);
});
