/** The left sidebar: heading, filter, list, details; and its empty, loading and error states. */

import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import { Details } from './details';
import { visible } from './format';
import { RunsGrid } from './grid';
import { Icon } from './icons';
import { Column, IOrder, linesOf, metricKeys, NEWEST, nextOrder } from './list';
import { IState, RunsModel } from './model';
import { IRecord, IRun } from './runs';
import { Empty, Hidden, lastRead } from './states';
import { Failure, statusWord } from './words';

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
          onOpen={(id: string) => (state.runs.has(id) ? setDetailed(true) : fold(id))}
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
