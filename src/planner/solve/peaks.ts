/** What every placement within limits on peaks must reckon with. */
import { realAt } from './number-at.js';
import type { Chain, Levels } from './chain.js';

/** `[item * resources + resource]`: bytes that the items from here on take at least, wherever they go. */
export function forcedUse(chain: Chain, levels: Levels): Float64Array {
  const { items, places, resources } = chain;
  const forced = new Float64Array((items + 1) * resources);
  for (let i = items - 1; i >= 0; i--) {
    for (let r = 0; r < resources; r++) {
      let least = Infinity;
      for (let p = 0; p < places; p++) {
        const ip = i * places + p;
        const open = realAt(chain.cost, ip) < Infinity && realAt(chain.peak, ip * resources + r) <= realAt(levels, r);
        if (open) least = Math.min(least, realAt(chain.use, ip * resources + r));
      }
      forced[i * resources + r] = realAt(forced, (i + 1) * resources + r) + (least === Infinity ? 0 : least);
    }
  }
  return forced;
}

export interface Range {
  readonly floor: number;
  readonly level: number;
}

/** The peaks that open places have on a resource, within a range. */
export function peaksWithin(chain: Chain, resource: number, { floor, level }: Range): Set<number> {
  const peaks = new Set<number>();
  for (let ip = 0; ip < chain.items * chain.places; ip++) {
    const peak = realAt(chain.peak, ip * chain.resources + resource);
    if (realAt(chain.cost, ip) < Infinity && peak >= floor && peak <= level) peaks.add(peak);
  }
  return peaks;
}

/** Ascending ranges of peaks, those no further apart than `width` in one. */
export function rangesOf(peaks: Iterable<number>, width: number): Range[] {
  const ranges: Range[] = [];
  for (const peak of [...peaks].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && peak - last.floor <= width) ranges[ranges.length - 1] = { ...last, level: peak };
    else ranges.push({ floor: peak, level: peak });
  }
  return ranges;
}
