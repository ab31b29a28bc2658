/** The plugins of the extension. */

import { JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: '@provenote/lab:plugin',
  description: 'A sidebar that lists the runs of the project.',
  autoStart: true,
  activate: () => undefined
};

export default plugin;
