/** Words that several parts of the sidebar use, and text with commands in it. */

import { Clipboard } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { pieces, sentence } from './format';
import { Icon } from './icons';
import { IProblem, Linearity, Status } from './runs';

export function statusWord(status: Status, trans: TranslationBundle): string {
  const words: { [status in Status]: string } = {
    queued: trans.__('queued'),
    running: trans.__('running'),
    finished: trans.__('finished'),
    failed: trans.__('failed'),
    killed: trans.__('killed')
  };
  return words[status];
}

export function linearityWord(linearity: Linearity, trans: TranslationBundle): string {
  const words: { [linearity in Linearity]: string } = {
    linear: trans.__('Cells ran once, in order'),
    rerun: trans.__('Some cells ran more than once, the last time in order'),
    'out-of-order': trans.__('Cells ran out of order'),
    unknown: trans.__('The order of the cells is not known')
  };
  return words[linearity];
}

/** A button that copies a text; for a moment it says that it did. */
export function Copy({ text, title, trans }: { text: string; title: string; trans: TranslationBundle }): JSX.Element {
  const [copied, setCopied] = React.useState(false);
  React.useEffect(() => {
    const timer = copied ? setTimeout(() => setCopied(false), 1500) : undefined;
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className="pn-IconButton"
      title={copied ? trans.__('Copied') : title}
      aria-label={title}
      onClick={() => {
        Clipboard.copyToSystem(text);
        setCopied(true);
      }}
    >
      <Icon shape={copied ? 'linear' : 'copy'} role={copied ? 'ok' : ''} />
    </button>
  );
}

/** A sentence; what stands in back quotes is code that can be copied. */
export function Sentence({ text, trans }: { text: string; trans: TranslationBundle }): JSX.Element {
  return (
    <>
      {pieces(text).map((piece, index) =>
        piece.code ? (
          <span key={index} className="pn-Command">
            <code>{piece.text}</code>
            <Copy text={piece.text} title={trans.__('Copy the command')} trans={trans} />
          </span>
        ) : (
          <React.Fragment key={index}>{piece.text}</React.Fragment>
        )
      )}
    </>
  );
}

/** What is wrong, what is safe, and what mends it. */
export function Failure(props: {
  problem: IProblem;
  safe?: string;
  trans: TranslationBundle;
  onRetry(): void;
}): JSX.Element {
  const { problem, safe, trans } = props;
  return (
    <div className="pn-Say pn-mod-err" role="alert">
      <Icon shape="failed" role="err" />
      <div>
        <p>
          <Sentence text={`${sentence(problem.what)} ${safe ?? ''}`} trans={trans} />
        </p>
        {problem.mend && (
          <p>
            <Sentence text={problem.mend} trans={trans} />
          </p>
        )}
        <button type="button" className="pn-Button" onClick={props.onRetry}>
          {trans.__('Try again')}
        </button>
      </div>
    </div>
  );
}
