/** What the sidebar says instead of runs, or below them: loading, empty, hidden, how old the list is. */

import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { sentence } from './format';
import { IState, RunsModel } from './model';
import { Sentence } from './words';

const LOADING_AFTER = 300; // milliseconds in which nothing is said of loading

/** No runs: nothing is said at first, then that they are read, then the next step. */
export function Empty({ state, trans }: { state: IState; trans: TranslationBundle }): JSX.Element | null {
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
export function Hidden({ model, state, trans }: { model: RunsModel; state: IState; trans: TranslationBundle }): JSX.Element | null {
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

/** How old the shown list is. */
export function lastRead(readAt: number, trans: TranslationBundle): string {
  return trans.__('Last read %1; the list may be behind.', new Date(readAt).toLocaleTimeString());
}
