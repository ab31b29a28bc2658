/**
 * Tells the kernel of a notebook what the document holds, ahead of each execution.
 *
 * The kernel judges whether cells ran in order, and only the page knows the document: the file may be older.
 *
 * - `NotebookActions.executionScheduled` is emitted in the same turn in which the request is sent, just before
 *   it, and a kernel handles messages of its shell channel in the order in which they come. So a comm message
 *   sent from that signal arrives ahead of the request. No timer and no promise may stand between.
 * - Comms may run on a subshell of their own since JupyterLab 4.4, which would lose that order: ours does not.
 * - A document is sent when it differs from the last one that this kernel was sent.
 * - Nothing is sent to a kernel without our comm target: it is known to have one when a cell that loads us was
 *   scheduled, or when it holds an open comm from before the page was loaded again.
 */

import { INotebookTracker, Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { CommsOverSubshells, Contents, Kernel } from '@jupyterlab/services';

import {
  DOCUMENT_TARGET,
  DocumentMessage,
  documentMessage,
  ICodeCell,
  loadsProvenote,
  sameDocument
} from './document';

/** What is known of one kernel since it started. */
interface IPeer {
  listens: boolean;
  comm: Kernel.IComm | null;
  last: DocumentMessage | null;
}

/** Begin to tell kernels. */
export function tellKernels(tracker: INotebookTracker, contents: Contents.IManager): void {
  const peers = new WeakMap<Kernel.IKernelConnection, IPeer>();

  const peerOf = (kernel: Kernel.IKernelConnection): IPeer => {
    let peer = peers.get(kernel);
    if (peer === undefined) {
      const fresh: IPeer = { listens: false, comm: null, last: null };
      peers.set(kernel, fresh);
      kernel.statusChanged.connect((_, status) => {
        if (status === 'restarting' || status === 'autorestarting') {
          Object.assign(fresh, { listens: false, comm: null, last: null });
        }
      });
      peer = fresh;
    }
    return peer;
  };

  const meet = async (kernel: Kernel.IKernelConnection | null | undefined): Promise<void> => {
    if (kernel && kernel.handleComms && !peers.has(kernel)) {
      const peer = peerOf(kernel);
      const reply = await kernel.requestCommInfo({ target_name: DOCUMENT_TARGET });
      if (reply.content.status === 'ok' && Object.keys(reply.content.comms).length > 0) {
        peer.listens = true;
      }
    }
  };

  const follow = ({ sessionContext }: NotebookPanel): void => {
    sessionContext.kernelChanged.connect((_, change) => void meet(change.newValue).catch(ignore));
    void meet(sessionContext.session?.kernel).catch(ignore);
  };
  tracker.forEach(follow);
  tracker.widgetAdded.connect((_, panel) => follow(panel));

  NotebookActions.executionScheduled.connect((_, { notebook, cell }) => {
    const panel = tracker.find(candidate => candidate.content === notebook);
    const kernel = panel?.sessionContext.session?.kernel;
    if (!panel || !kernel || !kernel.handleComms) {
      return;
    }
    const peer = peerOf(kernel);
    if (peer.listens) {
      tell(kernel, peer, documentMessage(pathOf(panel, contents), codeCells(notebook), Date.now()));
    }
    if (loadsProvenote(cell.model.sharedModel.getSource())) {
      peer.listens = true; // for the cells after this one
    }
  });
}

/** Send a document, in the same turn. */
function tell(kernel: Kernel.IKernelConnection, peer: IPeer, message: DocumentMessage): void {
  if (sameDocument(peer.last, message)) {
    return;
  }
  try {
    if (peer.comm === null || peer.comm.isDisposed) {
      const comm = kernel.createComm(DOCUMENT_TARGET);
      comm.commsOverSubshells = CommsOverSubshells.Disabled;
      comm.onClose = () => {
        // The kernel has no such target, or forgot us: wait until a cell loads Provenote again.
        Object.assign(peer, { listens: false, comm: null, last: null });
      };
      comm.open(message);
      peer.comm = comm;
    } else {
      peer.comm.send(message);
    }
    peer.last = message;
  } catch (error) {
    console.warn('Provenote could not tell the kernel of the document:', error);
  }
}

function codeCells(notebook: Notebook): ICodeCell[] {
  const cells = notebook.model?.sharedModel.cells ?? [];
  return cells
    .filter(cell => cell.cell_type === 'code')
    .map(cell => ({ id: cell.getId(), source: cell.getSource() }));
}

/** The path from the server's root, without the drive that real-time collaboration puts before it. */
function pathOf(panel: NotebookPanel, contents: Contents.IManager): string {
  return contents.localPath(panel.context.path);
}

function ignore(): void {
  // A kernel that went away meanwhile; the next one is met anew.
}
