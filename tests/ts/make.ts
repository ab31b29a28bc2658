/** Runs for the tests. */

import { IAnswer, IRun, parseAnswer, parseRun } from '../../extension/src/runs';

export function run(id: string, more: Partial<IRun> = {}): IRun {
  const plain = { id, name: `${id}-0000`, status: 'finished', started: 100, ended: 110 };
  return { ...parseRun(plain), linearity: 'linear', ...more };
}

export function known(...runs: IRun[]): ReadonlyMap<string, IRun> {
  return new Map(runs.map(entry => [entry.id, entry]));
}

export function answer(rows: IRun[], more: Partial<IAnswer> = {}): IAnswer {
  const project = { path: '', name: 'demo', branch: 'main' };
  return { ...parseAnswer({ schema: 1, rows: [], version: 'x.1', project }), rows, ...more };
}
