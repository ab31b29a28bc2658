/** The list of runs: windowed, sortable, one tab stop. The focus stays on the grid; `aria-activedescendant` moves. */

import { TranslationBundle } from '@jupyterlab/translation';
import { useVirtualizer } from '@tanstack/react-virtual';
import * as React from 'react';

import { decimals, visible } from './format';
import { Column, ILine, IOrder, valueOf } from './list';
import { Line } from './line';

const ROW_HEIGHT = 24;
const COLUMNS: readonly Column[] = ['status', 'name', 'metric', 'started'];

export interface IGridProps {
  readonly lines: readonly ILine[];
  readonly metric: string | null;
  readonly metrics: readonly string[];
  readonly order: IOrder;
  /** Id of the selected run. */
  readonly selected: string | null;
  readonly now: number;
  readonly trans: TranslationBundle;
  onSelect(id: string): void;
  onOpen(id: string): void;
  onClose(): void;
  onFilter(): void;
  onOrder(column: Column): void;
  onMetric(metric: string): void;
  onFold(id: string): void;
}

export function RunsGrid(props: IGridProps): JSX.Element {
  const { lines, metric, selected, trans } = props;
  const prefix = React.useId();
  const grid = React.useRef<HTMLDivElement>(null);
  const [heading, setHeading] = React.useState<number | null>(null); // the heading that is active, if one is
  const [focused, setFocused] = React.useState(false);
  const at = React.useMemo(() => lines.findIndex(line => line.run.id === selected), [lines, selected]);
  const digits = React.useMemo(
    () => decimals(lines.map(line => valueOf(line.run, metric)).filter((value): value is number => value !== null)),
    [lines, metric]
  );
  const view = useVirtualizer({
    count: lines.length,
    getScrollElement: () => grid.current,
    estimateSize: () => ROW_HEIGHT,
    scrollPaddingStart: ROW_HEIGHT,
    getItemKey: index => lines[index].run.id,
    overscan: 10
  });

  // Another order begins at its top.
  React.useEffect(() => {
    grid.current?.scrollTo({ top: 0 });
  }, [props.order]);

  const go = (index: number): void => {
    const next = Math.min(Math.max(index, 0), lines.length - 1);
    if (next >= 0) {
      setHeading(null);
      props.onSelect(lines[next].run.id);
      view.scrollToIndex(next);
    }
  };
  const page = Math.max(1, Math.floor((grid.current?.clientHeight ?? 240) / ROW_HEIGHT) - 2);
  const line = at >= 0 ? lines[at] : null;

  const moves: { [key: string]: () => void } = {
    ArrowDown: () => go(heading !== null ? Math.max(0, at) : at + 1),
    ArrowUp: () => (heading === null && at <= 0 ? setHeading(1) : heading === null && go(at - 1)),
    PageDown: () => go(at + page),
    PageUp: () => go(at - page),
    Home: () => (heading === null ? go(0) : setHeading(0)),
    End: () => (heading === null ? go(lines.length - 1) : setHeading(COLUMNS.length - 1)),
    ArrowRight: () => {
      if (heading !== null) {
        setHeading(Math.min(heading + 1, COLUMNS.length - 1));
      } else if (line && line.children > 0 && !line.open) {
        props.onFold(line.run.id);
      }
    },
    ArrowLeft: () => {
      if (heading !== null) {
        setHeading(Math.max(heading - 1, 0));
      } else if (line?.open) {
        props.onFold(line.run.id);
      } else if (line?.level === 2) {
        go(lines.slice(0, at).map(above => above.level).lastIndexOf(1));
      }
    },
    Enter: () => (heading !== null ? props.onOrder(COLUMNS[heading]) : line && props.onOpen(line.run.id)),
    ' ': () => moves.Enter(),
    Escape: () => props.onClose(),
    '/': () => props.onFilter()
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const move = moves[event.key];
    const foreign = event.ctrlKey || event.metaKey || event.altKey || event.target !== grid.current;
    if (move && !foreign) {
      event.preventDefault();
      event.stopPropagation();
      move();
    }
  };

  const rowId = (id: string): string => `${prefix}-${id}`;
  const shown = view.getVirtualItems();
  const inView = shown.some(item => item.index === at);
  const active = heading !== null ? `${prefix}-h${heading}` : inView && line ? rowId(line.run.id) : undefined;
  return (
    <div
      ref={grid}
      className="pn-Grid"
      role="treegrid"
      tabIndex={0}
      aria-label={trans.__('Runs')}
      aria-rowcount={lines.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={active}
      onKeyDown={onKeyDown}
      onFocus={() => setFocused(true)}
      onBlur={() => {
        setFocused(false);
        setHeading(null);
      }}
    >
      <div className="pn-Row pn-mod-head" role="row" aria-rowindex={1}>
        {COLUMNS.map((column, index) => (
          <Heading
            key={column}
            {...props}
            column={column}
            id={`${prefix}-h${index}`}
            active={focused && heading === index}
          />
        ))}
      </div>
      <div className="pn-Grid-body" role="rowgroup" style={{ height: view.getTotalSize() }}>
        {shown.map(item => (
          <Line
            key={item.key}
            {...props}
            line={lines[item.index]}
            id={rowId(lines[item.index].run.id)}
            index={item.index + 2}
            top={item.start}
            digits={digits}
          />
        ))}
      </div>
    </div>
  );
}

function Heading(props: IGridProps & { column: Column; id: string; active: boolean }): JSX.Element {
  const { column, metric, metrics, order, trans } = props;
  const titles: { [column in Column]: string } = {
    status: trans.__('State'),
    name: trans.__('run'),
    metric: metric === null ? '' : visible(metric),
    started: trans.__('age')
  };
  // The age grows as the start falls behind.
  const descending = column === 'started' ? !order.descending : order.descending;
  const sorted = order.column === column ? (descending ? 'descending' : 'ascending') : undefined;
  return (
    <span
      id={props.id}
      role="columnheader"
      aria-sort={sorted}
      className={`pn-Cell pn-mod-${column} ${props.active ? 'pn-mod-active' : ''}`}
      title={column === 'metric' && metric !== null ? visible(metric) : undefined}
      onClick={() => props.onOrder(column)}
    >
      <span className="pn-Heading-text">
        {column === 'status' ? <span className="pn-mod-unseen">{titles.status}</span> : titles[column]}
      </span>
      {sorted && <span className="pn-Heading-sort" aria-hidden data-sort={sorted} />}
      {column === 'metric' && metrics.length > 1 && (
        <select
          className="pn-Heading-choice"
          aria-label={trans.__('Metric that the list shows')}
          title={trans.__('Show another metric')}
          value={metric ?? ''}
          onClick={event => event.stopPropagation()}
          onChange={event => props.onMetric(event.target.value)}
        >
          {metrics.map(key => (
            <option key={key} value={key}>
              {visible(key)}
            </option>
          ))}
        </select>
      )}
    </span>
  );
}
