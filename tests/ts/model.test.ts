import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { AnsweredError, IDLE_POLL, IQuestion, RunsModel } from '../../extension/src/model';
import { IAnswer } from '../../extension/src/runs';
import { answer, run } from './make';

let questions: IQuestion[];
let replies: (() => Promise<IAnswer>)[];

beforeEach(() => {
  vi.useFakeTimers();
  questions = [];
  replies = [];
});
afterEach(() => vi.useRealTimers());

/** A model whose questions are answered from `replies`, then with nothing new. */
function make(): RunsModel {
  return new RunsModel(question => {
    questions.push(question);
    const reply = replies.shift() ?? (async () => answer([], { whole: false }));
    return reply();
  });
}

const wait = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

test('nothing is asked for until somebody looks, and nothing while nobody does', async () => {
  const model = make();
  model.changed('');
  await wait(5000);
  expect(questions).toEqual([]);
  model.setVisible(true);
  await wait(0);
  expect(questions).toEqual([{ project: null, everything: false, since: '' }]);
  model.setVisible(false);
  model.changed('');
  await wait(IDLE_POLL * 2);
  expect(questions.length).toBe(1);
  model.setVisible(true);
  await wait(0);
  expect(questions.length).toBe(2);
});

test('many changes make one request a second, and the last one is not missed', async () => {
  const model = make();
  model.setVisible(true);
  await wait(0);
  for (let tick = 0; tick < 50; tick++) {
    model.changed('');
    await wait(100);
  }
  expect(questions.length).toBeGreaterThanOrEqual(5);
  expect(questions.length).toBeLessThanOrEqual(7);
  const before = questions.length;
  await wait(2000);
  expect(questions.length - before).toBeLessThanOrEqual(1);
});

test('a change during a request is asked for after it', async () => {
  const model = make();
  let finish!: (value: IAnswer) => void;
  replies.push(() => new Promise(resolve => (finish = resolve)));
  model.setVisible(true);
  await wait(5000);
  model.changed('');
  await wait(5000);
  expect(questions.length).toBe(1);
  finish(answer([run('a')]));
  await wait(0);
  await wait(1000);
  expect(questions.map(question => question.since)).toEqual(['', 'x.1']);
});

test('a failure keeps the runs, says why, and tries again, later each time', async () => {
  const model = make();
  replies.push(async () => answer([run('a')]));
  model.setVisible(true);
  await wait(0);
  const problem = { what: 'the index cannot be read', mend: '`provenote doctor`' };
  replies.push(...Array(3).fill(() => Promise.reject(new AnsweredError(problem))));
  model.changed('');
  await wait(1000);
  expect(model.state).toMatchObject({ failure: problem, loading: false });
  expect(model.state.runs.size).toBe(1);
  await wait(2000);
  await wait(3999);
  expect(questions.length).toBe(3);
  await wait(1);
  expect(questions.length).toBe(4);
  model.retry();
  await wait(0);
  expect(model.state.failure).toBeNull();
});

test('a defect of the page is told, too', async () => {
  const model = make();
  replies.push(() => Promise.reject(new Error('The server answered without rows.')));
  model.setVisible(true);
  await wait(0);
  expect(model.state.failure).toEqual({ what: 'The server answered without rows.', mend: null });
});

test('another project or branch begins anew; an answer to the earlier question is dropped', async () => {
  const model = make();
  let late!: (value: IAnswer) => void;
  replies.push(async () => answer([run('a')]));
  replies.push(() => new Promise(resolve => (late = resolve)));
  model.setVisible(true);
  await wait(0);
  model.refresh();
  await wait(1000);
  replies.push(async () => answer([run('b')], { project: { path: 'work', name: 'work', branch: '' } }));
  model.chooseProject('work');
  await wait(0);
  late(answer([run('wrong')]));
  await wait(0);
  expect([...model.state.runs.keys()]).toEqual(['b']);
  expect(questions.at(-1)).toEqual({ project: 'work', everything: false, since: '' });
  model.changed('other'); // not what is shown
  await wait(5000);
  expect(questions.length).toBe(3);
  model.setEverything(true);
  await wait(0);
  expect(questions.at(-1)).toEqual({ project: 'work', everything: true, since: '' });
});

test('starts, ends and failures are news; values and the first listing are not', async () => {
  const model = make();
  const names = (): string[] => model.state.news.map(row => `${row.id} ${row.status}`);
  const next = async (...rows: ReturnType<typeof run>[]): Promise<string[]> => {
    replies.push(async () => answer(rows, { whole: false }));
    model.changed('');
    await wait(1000);
    return names();
  };
  replies.push(async () => answer([run('old')]));
  model.setVisible(true);
  await wait(0);
  expect(names()).toEqual([]);
  expect(await next(run('new', { status: 'running' }))).toEqual(['new running']);
  expect(await next(run('new', { status: 'running', metrics: { a: 1 } }))).toEqual([]);
  expect(await next(run('new', { status: 'failed' }), run('old', { starred: true }))).toEqual(['new failed']);
});

test('without events the runs are asked for now and then', async () => {
  const model = make();
  model.setVisible(true);
  await wait(0);
  await wait(IDLE_POLL);
  expect(questions.length).toBe(2);
  model.dispose();
  await wait(IDLE_POLL * 3);
  expect(questions.length).toBe(2);
});
