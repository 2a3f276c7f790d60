/** Which stretches of a file to map for a set of tensors. Pure: the tests check it against every rule. */
import type { StoredTensor } from '../format/stored-tensor.js';

export interface FileWindow {
  /** Multiple of the page size. */
  readonly begin: number;
  readonly end: number;
  readonly names: readonly string[];
}

/**
 * Windows of one file that cover these tensors, in the order of the file. A page that no tensor lies on is in no window,
 * and no page is in two, but for one case: a window that would grow beyond `maxWindowBytes` is cut between two tensors.
 * A single tensor may still be larger than that.
 */
export function mapWindows(
  tensors: ReadonlyMap<string, StoredTensor>,
  { pageBytes, maxWindowBytes }: { pageBytes: number; maxWindowBytes: number },
): FileWindow[] {
  const sorted = [...tensors].filter(([, { begin, end }]) => end > begin).sort(([, a], [, b]) => a.begin - b.begin);
  const windows: { begin: number; end: number; names: string[] }[] = [];
  for (const [name, { begin, end }] of sorted) {
    const last = windows.at(-1);
    const pageBegin = begin - (begin % pageBytes);
    if (last !== undefined && pageBegin <= roundUp(last.end, pageBytes) && end - last.begin <= maxWindowBytes) {
      last.end = end;
      last.names.push(name);
    } else {
      windows.push({ begin: pageBegin, end, names: [name] });
    }
  }
  return windows;
}

function roundUp(position: number, pageBytes: number): number {
  return Math.ceil(position / pageBytes) * pageBytes;
}
