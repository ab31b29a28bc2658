/**
 * The state of the sidebar: the known runs, and when they are asked for again. No Jupyter, no React.
 *
 * - Nothing is asked for while nobody looks; what changed meanwhile is asked for when the panel shows again.
 * - At most one request at a time, and one a second: live numbers need not change faster.
 * - After a failure the known runs stay, and the next try comes by itself, later each time.
 */

import { applyAnswer, IAnswer, IProblem, IProject, IRun, isLive } from './runs';

/** Milliseconds between the starts of two requests. */
export const REQUEST_GAP = 1000;
/** A lost connection loses events, so the runs are asked for now and then without one. */
export const IDLE_POLL = 30_000;
const LONGEST_WAIT = 60_000;

/** What is shown. `version` changes with every change; `readAt` is null until a first answer came. */
export interface IState {
  readonly runs: ReadonlyMap<string, IRun>;
  readonly project: IProject | null;
  readonly projects: readonly IProject[];
  readonly hidden: number;
  readonly everything: boolean;
  /** Why there is no project. */
  readonly problem: IProblem | null;
  /** Why the last request failed. */
  readonly failure: IProblem | null;
  readonly readAt: number | null;
  readonly loading: boolean;
  /** Words for a screen reader: what started, ended or failed since the last answer. */
  readonly news: readonly IRun[];
}

/** What is asked of the server. */
export interface IQuestion {
  readonly project: string | null;
  readonly everything: boolean;
  readonly since: string;
}

/** A failure of a request that is the server's own word, and no defect of ours. */
export class AnsweredError extends Error {
  constructor(readonly problem: IProblem) {
    super(problem.what);
  }
}

const NOTHING: IState = {
  runs: new Map(),
  project: null,
  projects: [],
  hidden: 0,
  everything: false,
  problem: null,
  failure: null,
  readAt: null,
  loading: false,
  news: []
};

export class RunsModel {
  constructor(private readonly _ask: (question: IQuestion) => Promise<IAnswer>) {}

  get state(): IState {
    return this._state;
  }

  /** Be told of every change; returns how to be told no more. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  };

  /** Say whether somebody looks. */
  setVisible(visible: boolean): void {
    this._visible = visible;
    if (visible && this._stale) {
      this.refresh();
    } else if (!visible) {
      clearTimeout(this._timer);
      this._timer = undefined;
      this._stale = true;
    }
  }

  /** Ask for what changed: now, or when the last request and the gap after it have passed. */
  refresh(): void {
    this._stale = true;
    if (this._visible && !this._state.loading) {
      this._schedule(Math.max(0, this._asked + REQUEST_GAP - Date.now()));
    }
  }

  /** Try again at once: a person asked. */
  retry(): void {
    this._asked = 0;
    this.refresh();
  }

  /** Hear that the runs of a project changed; null means that projects came or went. */
  changed(project: string | null): void {
    if (project === null || this._state.project === null || project === this._state.project.path) {
      this.refresh();
    }
  }

  /** Show another project. */
  chooseProject(path: string): void {
    this._chosen = path;
    this._startOver({ runs: new Map(), news: [] });
  }

  /** Show the runs of all branches, or those of this branch's history. */
  setEverything(everything: boolean): void {
    this._startOver({ everything });
  }

  dispose(): void {
    this._visible = false;
    this._turn++;
    clearTimeout(this._timer);
    this._listeners.clear();
  }

  private _startOver(change: Partial<IState>): void {
    this._turn++; // an answer to the earlier question is not waited for
    this._version = '';
    this._set({ ...change, loading: false });
    this.retry();
  }

  private _schedule(wait: number): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => void this._request(), wait);
  }

  private async _request(): Promise<void> {
    const turn = ++this._turn;
    this._stale = false;
    this._asked = Date.now();
    this._set({ loading: true });
    let answer: IAnswer;
    try {
      answer = await this._ask({
        project: this._chosen,
        everything: this._state.everything,
        since: this._version
      });
    } catch (error) {
      if (turn === this._turn) {
        this._failed(error);
      }
      return;
    }
    if (turn !== this._turn) {
      return;
    }
    this._failures = 0;
    this._take(answer);
    if (this._stale) {
      this.refresh();
    } else if (this._visible) {
      this._schedule(IDLE_POLL);
    }
  }

  private _take(answer: IAnswer): void {
    const { runs: before, readAt } = this._state;
    this._version = answer.version;
    this._set({
      runs: applyAnswer(before, answer),
      project: answer.project,
      projects: answer.projects,
      hidden: answer.hidden,
      problem: answer.problem,
      failure: null,
      readAt: Date.now(),
      loading: false,
      news: readAt === null || answer.whole ? [] : newsOf(before, answer.rows)
    });
  }

  private _failed(error: unknown): void {
    const failure =
      error instanceof AnsweredError
        ? error.problem
        : { what: error instanceof Error ? error.message : String(error), mend: null };
    this._stale = true;
    this._set({ failure, loading: false });
    if (this._visible) {
      this._schedule(Math.min(LONGEST_WAIT, 2000 * 2 ** this._failures++));
    }
  }

  private _set(change: Partial<IState>): void {
    this._state = { ...this._state, ...change };
    this._listeners.forEach(listener => listener());
  }

  private _state: IState = NOTHING;
  private readonly _listeners = new Set<() => void>();
  private _visible = false;
  private _stale = true;
  private _asked = 0;
  private _failures = 0;
  private _turn = 0;
  private _version = '';
  private _chosen: string | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** The runs whose start or end is news. */
function newsOf(before: ReadonlyMap<string, IRun>, rows: readonly IRun[]): IRun[] {
  return rows.filter(row => {
    const known = before.get(row.id);
    return known === undefined ? isLive(row) : known.status !== row.status;
  });
}
