/** All about one run, below the list. */

import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { flatten, formatSpan, formatTime, formatValue, formatWhen, visible } from './format';
import { Icon, LINEARITY_ROLES, STATUS_ROLES } from './icons';
import { IRecord, IRun, isLive, Values } from './runs';
import { Copy, linearityWord, Sentence, statusWord } from './words';

const SHORT = 7; // digits of a commit that are shown
const SETTLE = 150; // milliseconds that the selection must rest before the record is asked for

interface IDetailsProps {
  readonly run: IRun;
  readonly now: number;
  readonly trans: TranslationBundle;
  /** Ask for the record of a run. */
  load(run: IRun): Promise<IRecord | null>;
  onClose(): void;
}

export function Details(props: IDetailsProps): JSX.Element {
  const { run, trans } = props;
  const [record, problem] = useRecord(run, props.load);
  const seconds = (run.ended ?? props.now) - run.started;
  const copy = (text: string, title: string): JSX.Element => <Copy text={text} title={title} trans={trans} />;
  return (
    <section
      className="pn-Details"
      aria-label={trans.__('Details of %1', visible(run.name))}
      onKeyDown={event => event.key === 'Escape' && props.onClose()}
    >
      <header className="pn-Section">
        <span className="pn-Name pn-mod-whole" title={visible(run.name)}>
          {visible(run.name)}
        </span>
        {copy(run.name, trans.__('Copy the name'))}
        <button
          type="button"
          className="pn-IconButton pn-mod-end"
          title={trans.__('Close the details')}
          onClick={props.onClose}
        >
          <Icon shape="close" />
        </button>
      </header>
      <div className="pn-Details-body">
        <Facts>
          <Fact name={trans.__('state')}>
            <Icon shape={run.status} role={STATUS_ROLES[run.status]} />
            {statusWord(run.status, trans)}
            {run.reason && <span className="pn-mod-muted">{visible(run.reason)}</span>}
          </Fact>
          {run.label !== run.name && <Fact name={trans.__('label')}>{visible(run.label)}</Fact>}
          <Fact name={trans.__('started')}>
            <span title={formatTime(run.started)}>{formatWhen(run.started, props.now)}</span>
            <span className="pn-mod-muted">
              {isLive(run) ? trans.__('for %1', formatSpan(seconds)) : trans.__('took %1', formatSpan(seconds))}
            </span>
          </Fact>
          {run.tags.length > 0 && (
            <Fact name={trans.__('tags')}>
              {run.tags.map(tag => (
                <span key={tag} className="pn-Tag">
                  {visible(tag)}
                </span>
              ))}
            </Fact>
          )}
          {run.notes.map((note, index) => (
            <Fact key={index} name={trans.__('note')} wraps>
              {visible(note)}
            </Fact>
          ))}
          {record?.why && <Fact name={trans.__('why')}>{visible(record.why)}</Fact>}
          {record?.script ? (
            <Fact name={trans.__('script')}>{visible(record.script)}</Fact>
          ) : (
            !isLive(run) && (
              <Fact name={trans.__('cells')} wraps>
                <Icon shape={run.linearity} role={LINEARITY_ROLES[run.linearity]} />
                {linearityWord(run.linearity, trans)}
                {record?.evidence.map((why, index) => (
                  <span key={index} className="pn-mod-muted">
                    {visible(why)}
                  </span>
                ))}
              </Fact>
            )
          )}
          {record !== null && record.staleModules.length > 0 && (
            <Fact name={trans.__('stale')} wraps>
              <span className="pn-mod-warn">
                {trans.__('imported before their files changed: %1', record.staleModules.map(visible).join(', '))}
              </span>
            </Fact>
          )}
          {run.reproduced && <Fact name={trans.__('reproduced')}>{visible(run.reproduced)}</Fact>}
          <Fact name={trans.__('id')}>
            <code>{run.id}</code>
            {copy(run.id, trans.__('Copy the id'))}
          </Fact>
          {run.commit && (
            <Fact name={trans.__('commit')}>
              <code title={run.commit}>{run.commit.slice(0, SHORT)}</code>
              {copy(run.commit, trans.__('Copy the commit'))}
            </Fact>
          )}
          {run.baseline && (
            <Fact name={trans.__('baseline')}>
              <code title={run.baseline}>{run.baseline.slice(0, SHORT)}</code>
              {copy(run.baseline, trans.__('Copy the baseline'))}
            </Fact>
          )}
          {record?.notebook && <Fact name={trans.__('notebook')}>{visible(record.notebook)}</Fact>}
        </Facts>
        <ValuesTable title={trans.__('Metrics')} values={run.metrics} trans={trans} />
        <ValuesTable title={trans.__('Parameters')} values={run.params} trans={trans} />
        {record !== null && <Data record={record} trans={trans} />}
        {problem && (
          <p className="pn-Note" role="alert">
            <Sentence text={problem} trans={trans} />
          </p>
        )}
      </div>
    </section>
  );
}

/** The record of a run that ended; asked for when the selection rests. */
function useRecord(run: IRun, load: IDetailsProps['load']): [IRecord | null, string] {
  const [known, setKnown] = React.useState<{ key: string; record: IRecord | null; problem: string } | null>(null);
  const key = `${run.id} ${run.commit ?? ''}`;
  React.useEffect(() => {
    if (run.commit === null) {
      return;
    }
    let wanted = true;
    const timer = setTimeout(() => {
      load(run).then(
        record => wanted && setKnown({ key, record, problem: '' }),
        error => wanted && setKnown({ key, record: null, problem: String(error?.message ?? error) })
      );
    }, SETTLE);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [key]);
  return known?.key === key ? [known.record, known.problem] : [null, ''];
}

function Facts({ children }: { children: React.ReactNode }): JSX.Element {
  return <dl className="pn-Facts">{children}</dl>;
}

function Fact(props: { name: string; wraps?: boolean; children: React.ReactNode }): JSX.Element {
  return (
    <>
      <dt>{props.name}</dt>
      <dd className={props.wraps ? 'pn-mod-wraps' : ''}>{props.children}</dd>
    </>
  );
}

function ValuesTable(props: { title: string; values: Values; trans: TranslationBundle }): JSX.Element | null {
  const { title, trans } = props;
  const pairs = flatten(props.values);
  if (pairs.length === 0) {
    return null;
  }
  const lines = pairs.map(([key, value]) => `${key}=${formatValue(value)}`);
  return (
    <>
      <h3 className="pn-Details-title">
        {title}
        <Copy text={lines.join('\n')} title={trans.__('Copy as key=value')} trans={trans} />
      </h3>
      <table className="pn-Values">
        <tbody>
          {pairs.map(([key, value]) => (
            <tr key={key}>
              <th scope="row" title={visible(key)}>
                {visible(key)}
              </th>
              <td title={formatValue(value)}>{formatValue(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** What the run read and wrote, and what its record lacks. */
function Data({ record, trans }: { record: IRecord; trans: TranslationBundle }): JSX.Element {
  return (
    <>
      {record.reads.length > 0 && (
        <>
          <h3 className="pn-Details-title">{trans.__('Data read')}</h3>
          <Facts>
            {record.reads.map((read, index) => (
              <Fact key={index} name={visible(read.path)}>
                <code title={read.md5}>{read.md5.slice(0, SHORT)}</code>
                {read.rev && <span className="pn-mod-muted">{visible(read.rev.slice(0, 12))}</span>}
              </Fact>
            ))}
          </Facts>
        </>
      )}
      {record.artifacts.length > 0 && (
        <>
          <h3 className="pn-Details-title">{trans.__('Artifacts')}</h3>
          <Facts>
            {record.artifacts.map(artifact => (
              <Fact key={artifact.name} name={visible(artifact.name)}>
                <code title={artifact.md5}>{artifact.md5.slice(0, SHORT)}</code>
                <span className="pn-mod-muted">{visible(artifact.type)}</span>
              </Fact>
            ))}
          </Facts>
        </>
      )}
      {record.omitted > 0 && (
        <p className="pn-Note">
          {trans._n('%1 file is not in the snapshot.', '%1 files are not in the snapshot.', record.omitted)}
        </p>
      )}
      {record.snapshotLost && <p className="pn-Note">{trans.__('The snapshot of this run was lost.')}</p>}
    </>
  );
}
