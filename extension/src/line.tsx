/** One line of the list: the state, the name and what stands behind it, the metric, the age. */

import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatAge, formatNumber, formatTime, formatValue, NONE, splitName, visible } from './format';
import type { IGridProps } from './grid';
import { Icon, LINEARITY_ROLES, STATUS_ROLES } from './icons';
import { ILine, valueOf } from './list';
import { IRun, isLive } from './runs';
import { linearityWord, statusWord } from './words';

type Used = 'metric' | 'now' | 'selected' | 'trans' | 'onSelect' | 'onOpen' | 'onFold';

interface ILineProps extends Pick<IGridProps, Used> {
  readonly line: ILine;
  readonly id: string;
  readonly index: number;
  readonly top: number;
  readonly digits: number;
}

export function Line({ line, id, index, top, digits, metric, now, selected, trans, ...on }: ILineProps): JSX.Element {
  const { run } = line;
  const value = valueOf(run, metric);
  const isSelected = run.id === selected;
  return (
    <div
      id={id}
      role="row"
      className={`pn-Row ${isSelected ? 'pn-mod-selected' : ''} ${line.level === 2 ? 'pn-mod-child' : ''}`}
      aria-rowindex={index}
      aria-level={line.level}
      aria-expanded={line.children > 0 ? line.open : undefined}
      aria-selected={isSelected}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => {
        on.onSelect(run.id);
        on.onOpen(run.id);
      }}
    >
      <span role="gridcell" className="pn-Cell pn-mod-status">
        <Icon shape={run.status} role={STATUS_ROLES[run.status]} title={statusTitle(run, trans)} />
      </span>
      <span role="gridcell" className="pn-Cell pn-mod-name">
        {line.children > 0 && (
          <span
            className={`pn-Fold ${line.open ? 'pn-mod-open' : ''}`}
            onClick={event => {
              event.stopPropagation();
              on.onFold(run.id);
            }}
          >
            <Icon shape="caret" />
          </span>
        )}
        <Name run={run} />
        {run.starred && <Icon shape="star" title={trans.__('starred')} />}
        <Aside line={line} trans={trans} />
        <span className="pn-Marks">
          {run.reproduced && (
            <Icon
              shape="reproduced"
              role={run.reproduced === 'different' ? 'warn' : 'ok'}
              title={trans.__('Reproduction: %1', visible(run.reproduced))}
            />
          )}
          {run.linearity !== 'linear' && !isLive(run) && (
            <Icon
              shape={run.linearity}
              role={LINEARITY_ROLES[run.linearity]}
              title={linearityWord(run.linearity, trans)}
            />
          )}
        </span>
      </span>
      <span
        role="gridcell"
        className="pn-Cell pn-mod-metric"
        title={value === null || metric === null ? undefined : formatValue(run.metrics[metric])}
      >
        {value === null ? (metric === null ? '' : NONE) : formatNumber(value, digits)}
      </span>
      <span role="gridcell" className="pn-Cell pn-mod-started" title={formatTime(run.started)}>
        {formatAge(run.started, now)}
      </span>
    </div>
  );
}

/** A name that is cut before its last, unique part where there is no room. */
function Name({ run }: { run: IRun }): JSX.Element {
  const [head, tail] = splitName(visible(run.name));
  return (
    <span className="pn-Name" title={visible(run.name === run.label ? run.name : `${run.name}\n${run.label}`)}>
      <span className="pn-Name-head">{head}</span>
      <span>{tail}</span>
    </span>
  );
}

/** What stands muted behind the name: why a run ended, how many runs belong to it, its tags. */
function Aside({ line, trans }: { line: ILine; trans: TranslationBundle }): JSX.Element | null {
  const { run } = line;
  if (line.children > 0) {
    return <span className="pn-Aside">{trans._n('%1 run', '%1 runs', line.children)}</span>;
  }
  if (run.reason && run.status !== 'finished') {
    const isBad = run.status === 'failed' || run.status === 'killed';
    const reason = visible(run.reason);
    return (
      <span className={`pn-Aside ${isBad ? 'pn-mod-err' : ''}`} title={reason}>
        {reason.split(':')[0]}
      </span>
    );
  }
  if (run.tags.length > 0) {
    return (
      <span className="pn-Tag" title={run.tags.map(visible).join(', ')}>
        {visible(run.tags[0])}
      </span>
    );
  }
  return null;
}

function statusTitle(run: IRun, trans: TranslationBundle): string {
  const word = statusWord(run.status, trans);
  return run.reason ? `${word}: ${visible(run.reason)}` : word;
}
