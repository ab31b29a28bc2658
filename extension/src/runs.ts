/** The runs as the server tells them: types, and the one place where its answers are parsed. Pure data. */

export const STATUSES = ['queued', 'running', 'finished', 'failed', 'killed'] as const;
export type Status = (typeof STATUSES)[number];

export const LINEARITIES = ['linear', 'rerun', 'out-of-order', 'unknown'] as const;
export type Linearity = (typeof LINEARITIES)[number];

/** A value of a parameter or a metric: any JSON; NaN and infinities travel as strings. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };
export type Values = { readonly [key: string]: Value };

/** One run: an element of `provenote runs --json`. Times are seconds since 1970. */
export interface IRun {
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly status: Status;
  readonly reason: string | null;
  readonly started: number;
  readonly ended: number | null;
  readonly params: Values;
  readonly metrics: Values;
  readonly tags: readonly string[];
  readonly starred: boolean;
  readonly notes: readonly string[];
  readonly archived: boolean;
  readonly linearity: Linearity;
  readonly reproduced: string | null;
  readonly parent: string | null;
  readonly commit: string | null;
  readonly baseline: string;
}

/** A project below the server's root folder; `path` is a POSIX path from there. */
export interface IProject {
  readonly path: string;
  readonly name: string;
  readonly branch: string;
}

/** What is wrong, in one line, and the command or sentence that mends it. */
export interface IProblem {
  readonly what: string;
  readonly mend: string | null;
}

/** An answer of `GET provenote/runs`: all rows, or what changed since the version that was known. */
export interface IAnswer {
  readonly rows: readonly IRun[];
  readonly removed: readonly string[];
  readonly whole: boolean;
  readonly version: string;
  readonly hidden: number;
  readonly project: IProject | null;
  readonly projects: readonly IProject[];
  readonly problem: IProblem | null;
}

/** The parts of a run's record (`run.json`) that the details show; it has more. */
export interface IRecord {
  readonly reads: readonly { path: string; md5: string; rev: string }[];
  readonly artifacts: readonly { name: string; type: string; md5: string }[];
  /** Why the verdict about the order of the cells is what it is. */
  readonly evidence: readonly string[];
  /** Name of the script that ran; empty when cells did. */
  readonly script: string;
  readonly staleModules: readonly string[];
  readonly notebook: string;
  readonly why: string;
  readonly omitted: number;
  readonly snapshotLost: boolean;
}

type Json = { readonly [key: string]: unknown };

/** Parse an answer of the server; what is no listing is refused, not guessed at. */
export function parseAnswer(reply: unknown): IAnswer {
  const answer = object(reply);
  if (answer === null || !Array.isArray(answer.rows)) {
    throw new Error('The server answered without rows.');
  }
  if (answer.schema !== 1) {
    throw new Error(`The server speaks version ${String(answer.schema)} of the listing, this page version 1.`);
  }
  return {
    rows: answer.rows.map(parseRun),
    removed: strings(answer.removed),
    whole: answer.whole !== false,
    version: text(answer.version) ?? '',
    hidden: number(answer.hidden) ?? 0,
    project: parseProject(answer.project),
    projects: array(answer.projects).map(parseProject).filter(isThere),
    problem: parseProblem(answer.problem)
  };
}

/** Parse one row; one without id or name is refused. */
export function parseRun(value: unknown): IRun {
  const row = object(value);
  const id = text(row?.id);
  const name = text(row?.name);
  if (row === null || !id || !name) {
    throw new Error('The server sent a run without id or name.');
  }
  return {
    id,
    name,
    label: text(row.label) ?? name,
    status: STATUSES.find(status => status === row.status) ?? 'finished',
    reason: text(row.reason),
    started: number(row.started) ?? 0,
    ended: number(row.ended),
    params: (object(row.params) ?? {}) as Values,
    metrics: (object(row.metrics) ?? {}) as Values,
    tags: strings(row.tags),
    starred: row.starred === true,
    notes: strings(row.notes),
    archived: row.archived === true,
    linearity: LINEARITIES.find(linearity => linearity === row.linearity) ?? 'unknown',
    reproduced: text(row.reproduced),
    parent: text(row.parent),
    commit: text(row.commit),
    baseline: text(row.baseline) ?? ''
  };
}

/** Parse an error of the server: ours has `what` and `mend`, those of Jupyter a `message`. */
export function parseProblem(value: unknown): IProblem | null {
  const problem = object(value);
  const what = text(problem?.what) ?? text(problem?.message);
  return problem && what ? { what, mend: text(problem.mend) } : null;
}

/** Parse a run's record; every part may be missing in an older one. */
export function parseRecord(value: unknown): IRecord | null {
  const record = object(value);
  if (record === null) {
    return null;
  }
  const artifacts = object(record.artifacts) ?? {};
  const evidence = object(record.evidence);
  return {
    reads: array(record.reads)
      .map(object)
      .filter(isThere)
      .map(read => ({ path: text(read.path) ?? '', md5: text(read.md5) ?? '', rev: text(read.rev) ?? '' })),
    artifacts: Object.entries(artifacts).map(([name, facts]) => ({
      name,
      type: text(object(facts)?.type) ?? 'artifact',
      md5: text(object(facts)?.md5) ?? ''
    })),
    evidence: strings(evidence?.why),
    script: text(evidence?.script) ?? '',
    staleModules: strings(record.stale_modules),
    notebook: text(record.notebook) ?? '',
    why: text(record.why) ?? '',
    omitted: array(record.omitted).length,
    snapshotLost: record.snapshot === 'lost'
  };
}

/** The state after an answer: its rows alone, or those known before with its changes. */
export function applyAnswer(known: ReadonlyMap<string, IRun>, answer: IAnswer): ReadonlyMap<string, IRun> {
  if (!answer.whole && answer.rows.length === 0 && answer.removed.length === 0) {
    return known;
  }
  const rows = new Map(answer.whole ? [] : known);
  answer.removed.forEach(id => rows.delete(id));
  answer.rows.forEach(row => rows.set(row.id, row));
  return rows;
}

/** Whether a run has not ended. */
export function isLive(run: IRun): boolean {
  return run.status === 'running' || run.status === 'queued';
}

function parseProject(value: unknown): IProject | null {
  const project = object(value);
  const path = text(project?.path);
  return project === null || path === null
    ? null
    : { path, name: text(project.name) ?? path, branch: text(project.branch) ?? '' };
}

function object(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function strings(value: unknown): string[] {
  return array(value).filter((entry): entry is string => typeof entry === 'string');
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function isThere<T>(value: T | null): value is T {
  return value !== null;
}
