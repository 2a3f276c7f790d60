/** From how many of each kind every device takes to which: the earlier devices take the earlier items. */
import type { Work } from './work.js';

/** The place of every item of the problem. */
export function choiceOf({ kinds, devices }: Work, counts: readonly Int32Array[]): number[] {
  const choice: number[] = [];
  const taken = kinds.map(() => 0);
  for (const [d, { options }] of devices.entries()) {
    for (const [j, { kind, place }] of options.entries()) {
      const start = taken[kind] ?? 0;
      const end = start + (counts[d]?.[j] ?? 0);
      for (const members of kinds[kind]?.members.slice(start, end) ?? []) for (const i of members) choice[i] = place;
      taken[kind] = end;
    }
  }
  return choice;
}
