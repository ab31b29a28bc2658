/** The plugins: the sidebar with the runs, and the word to the kernel of what the notebook holds. */

import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { askRecord, askRuns, RUNS_CHANGED } from './api';
import { provenoteIcon } from './icons';
import { RunsModel } from './model';
import { RunsPanel } from './panel';
import { tellKernels } from './sender';

const SHOW_RUNS = 'provenote:show-runs';

const sidebar: JupyterFrontEndPlugin<void> = {
  id: '@provenote/lab:plugin',
  description: 'A sidebar that lists the runs of the project.',
  autoStart: true,
  // Nothing is required: Notebook 7 has no ILabShell, and a page without a layout has no restorer.
  optional: [ITranslator, ILayoutRestorer, ILabShell, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    labShell: ILabShell | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('provenote');
    const { events, serverSettings } = app.serviceManager;

    const model = new RunsModel(question => askRuns(serverSettings, question));
    const load = askRecord.bind(null, serverSettings);
    const panel = new RunsPanel(model, load, trans);
    panel.id = 'provenote-runs';
    panel.title.icon = provenoteIcon;
    panel.title.caption = trans.__('Provenote'); // also its name in Notebook 7: View > Left Sidebar
    app.shell.add(panel, 'left', { rank: 700 });
    restorer?.add(panel, panel.id);

    app.commands.addCommand(SHOW_RUNS, {
      label: trans.__('Show Runs'),
      caption: trans.__('Show the runs of the project in the left sidebar'),
      execute: () => {
        labShell?.expandLeft();
        app.shell.activateById(panel.id);
      }
    });
    palette?.addItem({ command: SHOW_RUNS, category: trans.__('Provenote') });

    events.stream.connect((_, message) => {
      if (message.schema_id === RUNS_CHANGED) {
        model.changed(typeof message.project === 'string' ? message.project : null);
      }
    });
  }
};

const documents: JupyterFrontEndPlugin<void> = {
  id: '@provenote/lab:document',
  description: 'Tells kernels that use Provenote what their notebook holds, ahead of each execution.',
  autoStart: true,
  optional: [INotebookTracker],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker | null) => {
    if (tracker) {
      tellKernels(tracker, app.serviceManager.contents);
    }
  }
};

export default [sidebar, documents];
