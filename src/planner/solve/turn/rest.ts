/** What is still to be done, and by what. */
import { loadOf } from './load.js';
import type { Work } from './work.js';

export interface Rest {
  /** Per kind. */
  readonly left: Int32Array;
  /** Per device, how many that are equal to it are free; zero for all but the first of them. */
  readonly free: Int32Array;
  /** Bytes per shared resource. */
  readonly shared: readonly number[];
}

/** What one more item is worth, and what a byte costs. */
export interface Prices {
  /** Per kind. */
  readonly kinds: Float64Array;
  /** Per shared resource. */
  readonly shared: Float64Array;
}

/** Everything, with all devices. */
export function everything({ kinds, devices, shared }: Work): Rest {
  const free = new Int32Array(devices.length);
  for (const { like } of devices) free[like] = (free[like] ?? 0) + 1;
  return { left: Int32Array.from(kinds, ({ members }) => members.length), free, shared };
}

/** The rest when one of the devices equal to `d` has taken so many of each option. */
export function without({ devices }: Work, rest: Rest, d: number, counts: Int32Array): Rest {
  const options = devices[d]?.options ?? [];
  const left = rest.left.slice();
  for (const [j, { kind }] of options.entries()) left[kind] = (left[kind] ?? 0) - (counts[j] ?? 0);
  const free = rest.free.slice();
  free[d] = (free[d] ?? 0) - 1;
  const { shared } = loadOf(options, counts);
  return { left, free, shared: rest.shared.map((bytes, r) => bytes - (shared[r] ?? 0)) };
}

/** Numbers of what there is more than none of. */
export function present(counts: Int32Array): number[] {
  return [...counts.keys()].filter((i) => (counts[i] ?? 0) > 0);
}
