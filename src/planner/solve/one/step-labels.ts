/** Labels of the steps: what has been decided so far, and what it costs at least to finish. */
import type { Option } from './options.js';

export interface Label {
  readonly cost: number;
  readonly bytes: number;
  readonly bound: number;
  readonly state: number;
  readonly before: Label | null;
  readonly path: number;
  readonly option: Option | null;
}

export interface Pruned {
  readonly labels: readonly Label[];
  /** The lowest bound of a label that was dropped though it might have won; Infinity: none was. */
  readonly dropped: number;
}

/** Leaves out labels that another one makes pointless, and the least promising of too many. */
export function pruned(grown: Label[], width: number): Pruned {
  if (grown.length < 2) return { labels: grown, dropped: Infinity };
  grown.sort((a, b) => a.state - b.state || a.cost - b.cost || a.bytes - b.bytes);
  const labels: Label[] = [];
  let state = -1;
  let fewest = Infinity;
  for (const label of grown) {
    if (label.state !== state) {
      state = label.state;
      fewest = Infinity;
    }
    if (label.bytes >= fewest) continue;
    fewest = label.bytes;
    labels.push(label);
  }
  if (labels.length <= width) return { labels, dropped: Infinity };
  labels.sort((a, b) => a.bound - b.bound);
  return { labels: labels.slice(0, width), dropped: labels[width]?.bound ?? Infinity };
}
