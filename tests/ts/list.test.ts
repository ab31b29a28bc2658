import { expect, test } from 'vitest';

import { parseFilter } from '../../extension/src/filter';
import { IChoice, linesOf, metricKeys, NEWEST, nextOrder } from '../../extension/src/list';
import { IRun } from '../../extension/src/runs';
import { known, run } from './make';

const PLAIN: IChoice = { filter: '', order: NEWEST, metric: null, opened: new Set() };

function ids(runs: IRun[], choice: Partial<IChoice> = {}, metric: string | null = null): string[] {
  return linesOf(known(...runs), { ...PLAIN, ...choice }, metric).map(line => line.run.id);
}

test('the newest come first; a press on a heading turns the order', () => {
  const runs = [run('old', { started: 1 }), run('new', { started: 3 }), run('mid', { started: 2 })];
  expect(ids(runs)).toEqual(['new', 'mid', 'old']);
  const turned = nextOrder(NEWEST, 'started');
  expect(ids(runs, { order: turned })).toEqual(['old', 'mid', 'new']);
  expect(nextOrder(turned, 'name')).toEqual({ column: 'name', descending: false });
});

test('numbers in names count as numbers', () => {
  const runs = ['run10', 'run9', 'run1'].map(name => run(name, { name }));
  expect(ids(runs, { order: { column: 'name', descending: false } })).toEqual(['run1', 'run9', 'run10']);
});

test('missing values and NaN come last in either direction; infinities are numbers', () => {
  const values = { none: undefined, nan: 'nan', low: 1, high: 2, top: 'inf' };
  const runs = Object.entries(values).map(([id, m], index) =>
    run(id, { started: 10 - index, metrics: m === undefined ? {} : { m } })
  );
  const order = { column: 'metric', descending: false } as const;
  expect(ids(runs, { order }, 'm')).toEqual(['low', 'high', 'top', 'none', 'nan']);
  expect(ids(runs, { order: { ...order, descending: true } }, 'm')).toEqual(['top', 'high', 'low', 'none', 'nan']);
});

test('the metric that most runs share is the first', () => {
  const runs = [run('a', { metrics: { z: 1, b: 1, words: 'good' } }), run('b', { metrics: { z: 2, a: 'nan' } })];
  expect(metricKeys(runs)).toEqual(['z', 'a', 'b']);
});

test('runs that belong to another one are folded below it, at any depth', () => {
  const runs = [
    run('sweep', { started: 1 }),
    run('job1', { started: 2, parent: 'sweep' }),
    run('job2', { started: 3, parent: 'sweep' }),
    run('inner', { started: 4, parent: 'job1' }),
    run('lone', { started: 5, parent: 'not here' })
  ];
  const folded = linesOf(known(...runs), PLAIN, null);
  expect(folded.map(line => [line.run.id, line.children, line.open])).toEqual([
    ['lone', 0, false],
    ['sweep', 3, false]
  ]);
  const open = linesOf(known(...runs), { ...PLAIN, opened: new Set(['sweep']) }, null);
  expect(open.map(line => [line.run.id, line.level])).toEqual([
    ['lone', 1],
    ['sweep', 1],
    ['inner', 2],
    ['job2', 2],
    ['job1', 2]
  ]);
  expect(ids(runs, { filter: 'job' })).toEqual(['job2', 'job1']);
});

test('the jobs of a sweep, which is no run, are folded below a line made of them', () => {
  const sweep = '5a'.repeat(32);
  const runs = [
    run('lone', { started: 1, metrics: { m: 2 } }),
    run('job1', { started: 2, ended: 9, parent: sweep, label: 'train', metrics: { m: 3 } }),
    run('job2', { started: 3, ended: null, parent: sweep, label: 'train', status: 'running', metrics: { m: 1 } }),
    run('job3', { started: 4, parent: sweep, label: 'train', status: 'failed' }),
    run('inner', { started: 5, parent: 'job1' })
  ];
  const [line, ...rest] = linesOf(known(...runs), PLAIN, 'm');
  expect(rest.map(other => other.run.id)).toEqual(['lone']);
  expect(line).toMatchObject({ children: 4, open: false, level: 1 });
  const made = { id: sweep, name: 'sweep-5a5a5a5a', label: 'train', status: 'running', started: 2, ended: null };
  expect(line.run).toMatchObject({ ...made, metrics: {}, parent: null, commit: null });
  expect(ids(runs, { opened: new Set([sweep]) })).toEqual([sweep, 'inner', 'job3', 'job2', 'job1', 'lone']);
  const least = { column: 'metric', descending: false } as const;
  expect(ids(runs, { order: least }, 'm')).toEqual([sweep, 'lone']);
  expect(ids(runs, { order: { ...least, descending: true } }, 'm')).toEqual([sweep, 'lone']);
});

test('a circle of parents loses no run', () => {
  expect(ids([run('a', { parent: 'b' }), run('b', { parent: 'a' }), run('c', { parent: 'c' })]).sort()).toEqual([
    'a',
    'b',
    'c'
  ]);
});

test.each([
  ['hgb', true],
  ['HGB a1', true],
  ['hgb failed', false],
  ['depth=8', true],
  ['max_depth=8', false],
  ['model.depth == 8', true],
  ['params.model.depth>=8', true],
  ['metrics.depth = 8', false],
  ['rmse < 61.5', true],
  ['rmse<61', false],
  ['rmse != 61.4', false],
  ['loss > 1e9', true],
  ['other < 1', false],
  ['solver=LBFGS', true],
  ['solver != lbfgs', false],
  ['flag = true', true],
  ['status=finished linear', true],
  ['baseline', true],
  ['rmse <', true],
  ['<', true],
  ['(', false],
  ['', true]
])('the filter %j keeps the run: %s', (filter, expected) => {
  const subject = run('a1', {
    name: 'hgb-c57a',
    label: 'hgb a1',
    params: { model: { depth: 8 }, solver: 'lbfgs', flag: true },
    metrics: { rmse: 61.4, loss: 'inf' },
    tags: ['baseline']
  });
  expect(parseFilter(filter)(subject)).toBe(expected);
});
