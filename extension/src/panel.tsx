/** The left sidebar: heading, filter, list, details; and its empty, loading and error states. */

import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import { Details } from './details';
import { sentence, visible } from './format';
import { RunsGrid } from './grid';
import { Icon } from './icons';
import { Column, IOrder, linesOf, metricKeys, NEWEST, nextOrder } from './list';
import { IState, RunsModel } from './model';
import { IRecord, IRun } from './runs';
import { Failure, Sentence, statusWord } from './words';

const LOADING_AFTER = 300; // milliseconds in which nothing is said of loading
const AGES_EVERY = 20_000;

type Load = (project: string, id: string) => Promise<IRecord | null>;

/** The widget; it asks for runs only while it is seen. */
export class RunsPanel extends ReactWidget {
  constructor(
    private readonly _model: RunsModel,
    private readonly _load: Load,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('pn-Panel');
    document.addEventListener('visibilitychange', this._look);
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this._look);
    this._model.dispose();
    super.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._look();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._look();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._look();
  }

  /** Opening the panel puts the focus on the list, as other sidebars of JupyterLab do. */
  protected onActivateRequest(): void {
    this.node.querySelector<HTMLElement>('.pn-Grid, .pn-Filter input')?.focus();
  }

  protected render(): JSX.Element {
    return <Runs model={this._model} load={this._load} trans={this._trans} />;
  }

  private readonly _look = (): void => this._model.setVisible(this.isVisible && !document.hidden);
}

interface IRunsProps {
  readonly model: RunsModel;
  readonly load: Load;
  readonly trans: TranslationBundle;
}

function Runs({ model, load, trans }: IRunsProps): JSX.Element {
  const state = React.useSyncExternalStore(model.subscribe, () => model.state);
  const [filter, setFilter] = React.useState('');
  const [order, setOrder] = React.useState<IOrder>(NEWEST);
  const [chosen, setChosen] = React.useState<string | null>(null);
  const [opened, setOpened] = React.useState<ReadonlySet<string>>(new Set());
  const [selected, setSelected] = React.useState<string | null>(null);
  const [detailed, setDetailed] = React.useState(false);
  const input = React.useRef<HTMLInputElement>(null);
  const root = React.useRef<HTMLDivElement>(null);
  const now = useNow(state);

  const metrics = React.useMemo(() => metricKeys(state.runs.values()), [state.runs]);
  const metric = chosen !== null && metrics.includes(chosen) ? chosen : (metrics[0] ?? null);
  const filtered = React.useDeferredValue(filter);
  const lines = React.useMemo(
    () => linesOf(state.runs, { filter: filtered, order, metric: chosen, opened }, metric),
    [state.runs, filtered, order, metric, opened]
  );
  const run = selected === null ? undefined : state.runs.get(selected);
  const focusGrid = (): void => root.current?.querySelector<HTMLElement>('.pn-Grid')?.focus();
  const close = (): void => {
    setDetailed(false);
    focusGrid();
  };
  const fold = (id: string): void => {
    const next = new Set(opened);
    if (!next.delete(id)) {
      next.add(id);
    }
    setOpened(next);
  };

  return (
    <div className="pn-Runs" ref={root}>
      <Title model={model} state={state} trans={trans} />
      <div className="pn-Section" role="heading" aria-level={2}>
        {trans.__('Runs')}
        {state.project && <span className="pn-Count">{state.runs.size.toLocaleString()}</span>}
      </div>
      {state.failure && (
        <Failure
          problem={state.failure}
          safe={state.readAt === null ? undefined : lastRead(state.readAt, trans)}
          trans={trans}
          onRetry={() => model.retry()}
        />
      )}
      {state.runs.size > 0 && (
        <div className="pn-Filter">
          <Icon shape="search" role="muted" />
          <input
            ref={input}
            type="search"
            value={filter}
            spellCheck={false}
            placeholder={trans.__('Filter, e.g. %1', metric === null ? 'failed' : `${metric} < 70`)}
            aria-label={trans.__('Filter runs by words, or by comparing a metric or parameter')}
            onChange={event => setFilter(event.target.value)}
            onKeyDown={event => {
              if (event.key === 'Escape' || event.key === 'ArrowDown' || event.key === 'Enter') {
                event.preventDefault();
                focusGrid();
              }
            }}
          />
        </div>
      )}
      {state.runs.size === 0 ? (
        <Empty state={state} trans={trans} />
      ) : lines.length === 0 ? (
        <div className="pn-Empty">
          <p>{trans.__('No run matches the filter.')}</p>
          <button type="button" className="pn-Button" onClick={() => setFilter('')}>
            {trans.__('Clear the filter')}
          </button>
        </div>
      ) : (
        <RunsGrid
          lines={lines}
          metric={metric}
          metrics={metrics}
          order={order}
          selected={selected}
          now={now}
          trans={trans}
          onSelect={setSelected}
          onOpen={() => setDetailed(true)}
          onClose={close}
          onFilter={() => input.current?.focus()}
          onOrder={(column: Column) => setOrder(nextOrder(order, column))}
          onMetric={setChosen}
          onFold={fold}
        />
      )}
      <Hidden model={model} state={state} trans={trans} />
      {run && detailed && (
        <Details
          run={run}
          now={now}
          trans={trans}
          load={(wanted: IRun) => load(state.project?.path ?? '', wanted.id)}
          onClose={close}
        />
      )}
      <div className="pn-mod-unseen" aria-live="polite">
        {state.news.map(item => `${visible(item.name)} ${statusWord(item.status, trans)}`).join(', ')}
      </div>
    </div>
  );
}

/** The seconds since 1970 as the ages see them: renewed with each answer, and now and then without one. */
function useNow(state: IState): number {
  const [now, setNow] = React.useState(() => Date.now() / 1000);
  React.useEffect(() => {
    setNow(Date.now() / 1000);
    const timer = setInterval(() => setNow(Date.now() / 1000), AGES_EVERY);
    return () => clearInterval(timer);
  }, [state.readAt]);
  return now;
}

function Title({ model, state, trans }: { model: RunsModel; state: IState; trans: TranslationBundle }): JSX.Element {
  const { project, projects } = state;
  return (
    <header className="pn-Title">
      <b>Provenote</b>
      {projects.length > 1 && project ? (
        <select
          className="pn-Project"
          aria-label={trans.__('Project')}
          value={project.path}
          onChange={event => model.chooseProject(event.target.value)}
        >
          {projects.map(({ path }) => (
            <option key={path} value={path}>
              {visible(path)}
            </option>
          ))}
        </select>
      ) : (
        project?.path && <span className="pn-mod-muted">{visible(project.name)}</span>
      )}
      {project && (
        <span className="pn-mod-muted pn-Branch" title={visible(project.branch)}>
          {visible(project.branch)}
        </span>
      )}
    </header>
  );
}

/** No runs: nothing is said at first, then that they are read, then the next step. */
function Empty({ state, trans }: { state: IState; trans: TranslationBundle }): JSX.Element | null {
  const [late, setLate] = React.useState(false);
  const waits = state.readAt === null && state.failure === null;
  React.useEffect(() => {
    const timer = setTimeout(() => setLate(true), LOADING_AFTER);
    return () => clearTimeout(timer);
  }, []);
  if (waits) {
    return late ? (
      <div className="pn-Empty" role="status">
        <i className="pn-Skeleton" />
        <i className="pn-Skeleton pn-mod-short" />
        <p className="pn-mod-muted">{trans.__('Reading runs')}</p>
      </div>
    ) : null;
  }
  if (state.readAt === null) {
    return null;
  }
  if (state.problem) {
    return (
      <div className="pn-Empty">
        <p>
          <Sentence text={sentence(state.problem.what)} trans={trans} />
        </p>
        {state.problem.mend && (
          <p>
            <Sentence text={state.problem.mend} trans={trans} />
          </p>
        )}
        <p className="pn-mod-muted">
          <Sentence text={trans.__('New here? See it all on real data: `provenote demo`')} trans={trans} />
        </p>
      </div>
    );
  }
  return (
    <div className="pn-Empty">
      <p>
        {state.hidden > 0
          ? trans.__('No runs of this branch yet. Put one line on top of the cell that trains:')
          : trans.__('No runs yet. Put one line on top of the cell that trains:')}
      </p>
      <p>
        <Sentence text="`%%track hgb`" trans={trans} />
      </p>
      <p>{trans.__('A cell above it loads the magics:')}</p>
      <p>
        <Sentence text="`%load_ext provenote`" trans={trans} />
      </p>
    </div>
  );
}

/** How many runs are hidden, and how to see them. */
function Hidden({ model, state, trans }: { model: RunsModel; state: IState; trans: TranslationBundle }): JSX.Element | null {
  if (state.hidden === 0 && !state.everything) {
    return null;
  }
  return (
    <footer className="pn-Hidden">
      {state.everything ? (
        <>
          {trans.__('Runs of all branches.')}
          <button type="button" className="pn-Link" onClick={() => model.setEverything(false)}>
            {trans.__('Show this branch')}
          </button>
        </>
      ) : (
        <>
          {trans._n('%1 run is hidden.', '%1 runs are hidden.', state.hidden)}
          <button type="button" className="pn-Link" onClick={() => model.setEverything(true)}>
            {trans.__('Show all')}
          </button>
        </>
      )}
    </footer>
  );
}

function lastRead(readAt: number, trans: TranslationBundle): string {
  return trans.__('Last read %1; the list may be behind.', new Date(readAt).toLocaleTimeString());
}
