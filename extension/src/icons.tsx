/** Icons on 16 pixels in one colour. Each state has its own shape: colour alone says nothing. */

import { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Linearity, Status } from './runs';

const BRANCH =
  'M3.5 1.5a2 2 0 0 1 .75 3.85V6c0 1 .6 1.5 1.6 1.5h1.3a2 2 0 1 1 0 1.5h-1.3c-.6 0-1.15-.15-1.6-.4v2.05a2 2 0 1 1-1.5 0' +
  'v-5.3A2 2 0 0 1 3.5 1.5zm9.2 8.1 1.1 1-4 4.3-2.3-2.2 1-1.1 1.2 1.2z';

/** The icon of the tab. */
export const provenoteIcon = new LabIcon({
  name: 'provenote:runs',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">' +
    `<path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="${BRANCH}"/></svg>`
});

const DISC = 'M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2z';

const SHAPES = {
  // A disc with a tick, with a cross, with a square; an open ring; a clock.
  finished: `${DISC}m3.4 4.3 1.1 1.1-5.2 5.2-2.9-2.9 1.1-1.1 1.8 1.8z`,
  failed: `${DISC}M5.6 4.5 8 6.9l2.4-2.4 1.1 1.1L9.1 8l2.4 2.4-1.1 1.1L8 9.1l-2.4 2.4-1.1-1.1L6.9 8 4.5 5.6z`,
  killed: `${DISC}M5.3 5.3h5.4v5.4H5.3z`,
  running: 'M8 1.2A6.8 6.8 0 1 1 1.2 8h1.7A5.1 5.1 0 1 0 8 2.9z',
  queued: `${DISC}m0 1.5a5.3 5.3 0 1 1 0 10.6A5.3 5.3 0 0 1 8 2.7zm-.7 1.6h1.4v3.5l2.4 1.5-.7 1.2-3.1-1.9z`,
  // A tick alone; a loop; two lines that cross; a question mark.
  linear: 'm12.6 3.6 1.1 1.1-7 7-4.2-4.1 1.1-1.1 3.1 3z',
  rerun: 'M8 2.6a5.4 5.4 0 0 1 4.6 2.6V2.8h1.5v5H9.2V6.3h2.3A3.9 3.9 0 1 0 11.7 9h1.6A5.4 5.4 0 1 1 8 2.6z',
  'out-of-order':
    'M10 2.5h3.8v3.8h-1.5V5.1l-3 3-1.1-1 3-3.1H10zM1.6 3.3l1.1-1.1 3.6 3.6-1.1 1.1zM8.3 9l3.9 3.9v-1.3h1.6v3.9H9.9' +
    'V14h1.3L7.2 10zM5.9 8.6l1.1 1.1-4.3 4.3-1.1-1.1z',
  unknown:
    'M7.2 11.3h1.6V13H7.2zM8 3c1.8 0 3.2 1.2 3.2 2.9 0 1.9-2.4 2.2-2.4 4.2H7.2c0-2.6 2.4-2.9 2.4-4.2 0-.8-.7-1.4-1.6-1.4' +
    's-1.6.7-1.6 1.5H4.8C4.8 4.3 6.2 3 8 3z',
  star: 'm8 1.5 2 4.3 4.6.6-3.4 3.2.9 4.6L8 11.9l-4.1 2.3.9-4.6L1.4 6.4 6 5.8z',
  reproduced: 'M8 2.2a5.8 5.8 0 0 1 4.7 2.4l1.1-1.1v4H9.8l1.5-1.6A4.1 4.1 0 0 0 3.9 8H2.2A5.8 5.8 0 0 1 8 2.2zM2.2 8.5h4l-1.5 1.6A4.1 4.1 0 0 0 12.1 8h1.7a5.8 5.8 0 0 1-10.5 3.4l-1.1 1.1z',
  copy: 'M3 1.5h7v1.5H4.5V11H3zM6 4.5h7.5V15H6zM7.5 6v7.5H12V6z',
  close: 'M4.1 3 8 6.9 11.9 3 13 4.1 9.1 8l3.9 3.9-1.1 1.1L8 9.1 4.1 13 3 11.9 6.9 8 3 4.1z',
  caret: 'M6 4l4.5 4L6 12z',
  search: 'M6.8 1.8a5 5 0 0 1 4 8l3.6 3.6-1.1 1.1-3.6-3.6a5 5 0 1 1-2.9-9.1zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z'
};

export type Shape = keyof typeof SHAPES;

/** An icon of ours; with a `title` it speaks, without one it is hidden from screen readers. */
export function Icon({ shape, title, role = '' }: { shape: Shape; title?: string; role?: string }): JSX.Element {
  return (
    <svg
      className={`pn-Icon ${role && `pn-mod-${role}`}`}
      viewBox="0 0 16 16"
      role={title ? 'img' : undefined}
      aria-label={title}
      aria-hidden={title ? undefined : true}
    >
      {title && <title>{title}</title>}
      <path fillRule="evenodd" d={SHAPES[shape]} />
    </svg>
  );
}

/** The role of colour of a state. */
export const STATUS_ROLES: { [status in Status]: string } = {
  queued: 'muted',
  running: 'run',
  finished: 'ok',
  failed: 'err',
  killed: 'err'
};

/** The role of colour of a linearity. */
export const LINEARITY_ROLES: { [linearity in Linearity]: string } = {
  linear: 'ok',
  rerun: 'muted',
  'out-of-order': 'warn',
  unknown: 'muted'
};
