/** What a kernel is told of a notebook before it runs a cell of it. Pure functions. */

import { sha256 } from './sha256';

/** The comm target that the kernel side of Provenote registers. */
export const DOCUMENT_TARGET = 'provenote.document';

/** A code cell as the document holds it. */
export interface ICodeCell {
  readonly id: string;
  readonly source: string;
}

/** The message: path from the server's root, `[id, hash]` of each code cell in order, milliseconds since 1970. */
export type DocumentMessage = {
  readonly path: string;
  readonly cells: [string, string][];
  readonly at: number;
};

const hashes = new Map<string, string>();
const HASHES_LIMIT = 5000;

/** The first 16 digits of the SHA-256 of a source without white space at its end. */
export function hash16(source: string): string {
  const stripped = rstrip(source);
  let hash = hashes.get(stripped);
  if (hash === undefined) {
    if (hashes.size >= HASHES_LIMIT) {
      hashes.clear();
    }
    hash = sha256(stripped).slice(0, 16);
    hashes.set(stripped, hash);
  }
  return hash;
}

/** Make the message. */
export function documentMessage(path: string, cells: readonly ICodeCell[], at: number): DocumentMessage {
  return { path, cells: cells.map(cell => [cell.id, hash16(cell.source)]), at };
}

/** Whether two messages tell of the same document. */
export function sameDocument(a: DocumentMessage | null, b: DocumentMessage): boolean {
  return (
    a !== null &&
    a.path === b.path &&
    a.cells.length === b.cells.length &&
    a.cells.every(([id, hash], index) => id === b.cells[index][0] && hash === b.cells[index][1])
  );
}

/**
 * Whether a cell loads Provenote: the kernel has our comm target once it ran. Looked for in code only, so that
 * no kernel of another notebook writes "no such comm target" into its log.
 */
export function loadsProvenote(source: string): boolean {
  return /^\s*(%(re)?load_ext\s+provenote\b|(import|from)\s+provenote\b)/m.test(source);
}

/**
 * What Python's `str.rstrip()` takes away: JavaScript's white space is another set (it has U+FEFF, and lacks
 * U+001C to U+001F and U+0085).
 */
function rstrip(source: string): string {
  // eslint-disable-next-line no-control-regex
  return source.replace(
    /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/,
    ''
  );
}
