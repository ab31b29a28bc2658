/** From the known runs to the lines of the list: which metric, which order, which are folded. Pure functions. */

import { parseFilter } from './filter';
import { numeric } from './format';
import { IRun } from './runs';

export type Column = 'status' | 'name' | 'metric' | 'started';

/** How the list is ordered; missing values and NaN come last either way. */
export interface IOrder {
  readonly column: Column;
  readonly descending: boolean;
}

/** The newest first. */
export const NEWEST: IOrder = { column: 'started', descending: true };

/** One line of the list: a run, how deep it stands, how many runs belong to it, and whether they are shown. */
export interface ILine {
  readonly run: IRun;
  readonly level: 1 | 2;
  readonly children: number;
  readonly open: boolean;
}

/** What the user chose. `metric` null means the one that most runs share. */
export interface IChoice {
  readonly filter: string;
  readonly order: IOrder;
  readonly metric: string | null;
  readonly opened: ReadonlySet<string>;
}

/** The keys of all metrics, those that most runs share first. */
export function metricKeys(runs: Iterable<IRun>): string[] {
  const counts = new Map<string, number>();
  for (const run of runs) {
    for (const [key, value] of Object.entries(run.metrics)) {
      if (numeric(value) !== null) {
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
  }
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || a.localeCompare(b));
}

/** What a press on a heading asks for: its natural direction first, then the other one. */
export function nextOrder(order: IOrder, column: Column): IOrder {
  const descending = order.column === column ? !order.descending : column === 'started';
  return { column, descending };
}

/**
 * The lines to show. Runs that belong to another one stand folded below it, those of a sweep, which is no run,
 * below a line made of them; a filter shows every run that matches on its own line.
 */
export function linesOf(runs: ReadonlyMap<string, IRun>, choice: IChoice, metric: string | null): ILine[] {
  const order = comparator(choice.order, metric);
  const all = [...runs.values()];
  if (choice.filter.trim() !== '') {
    const matching = all.filter(parseFilter(choice.filter)).sort(order);
    return matching.map(run => ({ run, level: 1, children: 0, open: false }));
  }
  const families = new Map<string, IRun[]>();
  const top: IRun[] = [];
  for (const run of all) {
    const parent = topOf(run, runs);
    const sweep = sweepOf(parent);
    const family = families.get(sweep ?? parent.id);
    if (sweep === null && parent === run) {
      top.push(run);
    } else if (family) {
      family.push(run);
    } else {
      families.set(sweep ?? parent.id, [run]);
    }
  }
  for (const [id, family] of families) {
    if (!runs.has(id)) {
      top.push(sweepLine(id, family, order, choice.order.column === 'metric'));
    }
  }
  return top.sort(order).flatMap((run): ILine[] => {
    const family = families.get(run.id) ?? [];
    const open = family.length > 0 && choice.opened.has(run.id);
    const line: ILine = { run, level: 1, children: family.length, open };
    const below = open ? family.sort(order) : [];
    return [line, ...below.map((child): ILine => ({ run: child, level: 2, children: 0, open: false }))];
  });
}

/** The run under which a run is folded: its outermost known parent. A circle of parents is cut. */
function topOf(run: IRun, runs: ReadonlyMap<string, IRun>): IRun {
  const seen = new Set([run.id]);
  let top = run;
  for (;;) {
    const parent = top.parent === null ? undefined : runs.get(top.parent);
    if (parent === undefined) {
      return top;
    }
    if (seen.has(parent.id)) {
      return run;
    }
    seen.add(parent.id);
    top = parent;
  }
}

/** The id of the sweep that a run is a job of: 64 hexadecimal digits, which no run's id has. */
export function sweepOf(run: IRun): string | null {
  return run.parent !== null && /^[0-9a-f]{64}$/.test(run.parent) ? run.parent : null;
}

/** The line of a sweep, in the form of a run. Sorted by a metric it stands where its first run would stand. */
function sweepLine(id: string, runs: IRun[], order: (a: IRun, b: IRun) => number, byMetric: boolean): IRun {
  const jobs = runs.filter(run => run.parent === id);
  const ended = jobs.map(run => run.ended);
  return {
    ...jobs[0],
    id,
    name: `sweep-${id.slice(0, 8)}`,
    status: jobs.map(run => run.status).sort((a, b) => RANKS.indexOf(a) - RANKS.indexOf(b))[0],
    reason: null,
    started: Math.min(...jobs.map(run => run.started)),
    ended: ended.includes(null) ? null : Math.max(...ended.map(Number)),
    params: {},
    metrics: byMetric ? [...jobs].sort(order)[0].metrics : {},
    tags: [],
    starred: false,
    notes: [],
    linearity: jobs.find(run => run.linearity !== 'linear')?.linearity ?? 'linear',
    reproduced: null,
    parent: null,
    commit: null
  };
}

const RANKS = ['running', 'queued', 'failed', 'killed', 'finished'];

function comparator(order: IOrder, metric: string | null): (a: IRun, b: IRun) => number {
  const sign = order.descending ? -1 : 1;
  const newest = (a: IRun, b: IRun): number => b.started - a.started || a.name.localeCompare(b.name);
  switch (order.column) {
    case 'status':
      return (a, b) => sign * (RANKS.indexOf(a.status) - RANKS.indexOf(b.status)) || newest(a, b);
    case 'name':
      return (a, b) => sign * a.name.localeCompare(b.name, undefined, { numeric: true }) || newest(a, b);
    case 'metric':
      return (a, b) => byNumber(valueOf(a, metric), valueOf(b, metric), sign) || newest(a, b);
    default:
      return (a, b) => (order.descending ? newest(a, b) : -newest(a, b));
  }
}

/** The value of a run's metric, null when it has none. */
export function valueOf(run: IRun, metric: string | null): number | null {
  return metric === null ? null : numeric(run.metrics[metric]);
}

function byNumber(a: number | null, b: number | null, sign: number): number {
  const lastA = a === null || Number.isNaN(a);
  const lastB = b === null || Number.isNaN(b);
  if (lastA || lastB) {
    return Number(lastA) - Number(lastB);
  }
  return a === b ? 0 : sign * (a! < b! ? -1 : 1);
}
