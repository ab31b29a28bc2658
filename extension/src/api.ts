/** Requests to the server side of the sidebar (`provenote_lab`). */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { AnsweredError, IQuestion } from './model';
import { IAnswer, IRecord, parseAnswer, parseProblem, parseRecord } from './runs';

/** The schema of the event that says that the runs of a project changed; what changed is asked for. */
export const RUNS_CHANGED = 'urn:provenote:runs-changed';

/** Ask for the runs of a project, or for what changed. */
export async function askRuns(
  settings: ServerConnection.ISettings,
  question: IQuestion
): Promise<IAnswer> {
  const query: { [key: string]: string } = { since: question.since };
  if (question.project !== null) {
    query.project = question.project;
  }
  if (question.everything) {
    query.everything = '1';
  }
  return parseAnswer(await get(settings, [], query));
}

/** Ask for the whole record of a run; null while it runs. */
export async function askRecord(
  settings: ServerConnection.ISettings,
  project: string,
  id: string
): Promise<IRecord | null> {
  const reply = await get(settings, [encodeURIComponent(id)], { project });
  return parseRecord((reply as { document?: unknown } | null)?.document);
}

async function get(
  settings: ServerConnection.ISettings,
  path: string[],
  query: { [key: string]: string }
): Promise<unknown> {
  const url = URLExt.join(settings.baseUrl, 'provenote', 'runs', ...path);
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url + URLExt.objectToQueryString(query), {}, settings);
  } catch {
    throw new AnsweredError({ what: 'The Jupyter server does not answer', mend: null });
  }
  const reply: unknown = await response.json().catch(() => null);
  if (response.ok) {
    return reply;
  }
  const problem = parseProblem(reply);
  if (response.status === 404 && !(reply as { what?: unknown } | null)?.what) {
    throw new AnsweredError({
      what: 'The server part of Provenote is missing in the environment of the Jupyter server',
      mend: 'Install it there, then start the server again: `pip install provenote`'
    });
  }
  throw new AnsweredError(
    problem ?? { what: `The server answered with status ${response.status}`, mend: null }
  );
}
