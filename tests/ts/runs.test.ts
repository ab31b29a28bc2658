import { expect, test } from 'vitest';

import { applyAnswer, parseAnswer, parseProblem, parseRecord, parseRun } from '../../extension/src/runs';
import { answer, known, run } from './make';

test('a listing is parsed; what is none, or of another version, is refused', () => {
  const reply = {
    schema: 1,
    rows: [{ id: 'a1', name: 'hgb-a1', status: 'running', metrics: { rmse: 'nan' }, linearity: 'rerun' }],
    version: 'x.3',
    whole: false,
    hidden: 2,
    project: { path: 'work', name: 'work', branch: 'main' },
    projects: [{ path: 'work' }, null, { name: 'no path' }]
  };
  const parsed = parseAnswer(reply);
  expect(parsed.rows[0]).toMatchObject({ id: 'a1', label: 'hgb-a1', status: 'running', linearity: 'rerun' });
  expect(parsed).toMatchObject({ whole: false, version: 'x.3', hidden: 2, removed: [], problem: null });
  expect(parsed.projects).toEqual([{ path: 'work', name: 'work', branch: '' }]);
  for (const bad of [null, [], 'rows', { message: 'Forbidden' }, { schema: 1, rows: {} }]) {
    expect(() => parseAnswer(bad)).toThrow('without rows');
  }
  expect(() => parseAnswer({ schema: 2, rows: [] })).toThrow('version 2');
  expect(() => parseAnswer({ schema: 1, rows: [{ name: 'x' }] })).toThrow('without id or name');
});

test('a row with values of other types keeps what can be used', () => {
  const row = parseRun({ id: 'a', name: 'a', status: 'odd', tags: ['x', 1], params: null, started: 'soon' });
  expect(row).toMatchObject({ status: 'finished', tags: ['x'], params: {}, started: 0, linearity: 'unknown' });
});

test('changes are laid over what is known; no change keeps the very map', () => {
  const before = known(run('a'), run('b'));
  expect(applyAnswer(before, answer([], { whole: false }))).toBe(before);
  const after = applyAnswer(before, answer([run('c'), run('b', { starred: true })], { whole: false, removed: ['a'] }));
  expect([...after.values()].map(row => [row.id, row.starred])).toEqual([['b', true], ['c', false]]);
  expect([...applyAnswer(before, answer([run('z')])).keys()]).toEqual(['z']);
  expect([...before.keys()]).toEqual(['a', 'b']);
});

test('errors of ours and of Jupyter are told alike', () => {
  expect(parseProblem({ what: 'w', mend: '`m`', message: 'w. `m`' })).toEqual({ what: 'w', mend: '`m`' });
  expect(parseProblem({ message: 'Forbidden', reason: null })).toEqual({ what: 'Forbidden', mend: null });
  expect(parseProblem('<html>')).toBeNull();
});

test('a record is read whatever it lacks', () => {
  expect(parseRecord(null)).toBeNull();
  expect(parseRecord({})).toMatchObject({ reads: [], artifacts: [], evidence: [], omitted: 0, snapshotLost: false });
  const record = parseRecord({
    artifacts: { model: { type: 'model', md5: 'abc' }, odd: null },
    reads: [{ path: 'data/hour.csv', md5: 'def', rev: null }, 'odd'],
    evidence: { why: ['cell b ran after cell c'], script: 'train.py' },
    omitted: [{}, {}],
    snapshot: 'lost'
  });
  expect(record?.artifacts).toEqual([
    { name: 'model', type: 'model', md5: 'abc' },
    { name: 'odd', type: 'artifact', md5: '' }
  ]);
  expect(record).toMatchObject({ evidence: ['cell b ran after cell c'], script: 'train.py' });
  expect(record).toMatchObject({ reads: [{ path: 'data/hour.csv', md5: 'def', rev: '' }], omitted: 2, snapshotLost: true });
});
