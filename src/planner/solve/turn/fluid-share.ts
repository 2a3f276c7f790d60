/** What devices could do within a time if items could be divided and nothing had to pass through their memory. */
import type { Simplex } from './linear-program.js';
import { present, type Prices, type Rest } from './rest.js';
import type { Work } from './work.js';

export interface FluidShare {
  /** No larger a share of the rest can be done; 2 at most. */
  readonly bound: number;
  readonly prices: Prices;
}

export function fluidShare({ devices }: Work, rest: Rest, ms: number, simplex: Simplex): FluidShare {
  const free = present(rest.free);
  const kinds = present(rest.left);
  const own = free.flatMap((d) =>
    (devices[d]?.options ?? []).flatMap((option) =>
      option.ms <= ms && (rest.left[option.kind] ?? 0) > 0 ? [{ d, option }] : [],
    ),
  );
  // Variables: how many of each option, and the share. Rows: kinds, time and bytes of devices, shared resources.
  const columns = own.length + 1;
  const firstShared = kinds.length + 2 * free.length;
  const factors = new Float64Array((firstShared + rest.shared.length) * columns);
  const limits = new Float64Array(firstShared + rest.shared.length);
  const profits = new Float64Array(columns);
  const uppers = new Float64Array(columns);
  profits[own.length] = 1;
  uppers[own.length] = 2;
  for (const [c, { d, option }] of own.entries()) {
    const left = rest.left[option.kind] ?? 1;
    uppers[c] = left * 2;
    factors[kinds.indexOf(option.kind) * columns + c] = -1 / left;
    const time = kinds.length + 2 * free.indexOf(d);
    factors[time * columns + c] = ms > 0 ? option.ms / ms : 0;
    factors[(time + 1) * columns + c] = option.bytes / (devices[d]?.bytes || 1);
    for (const [r, bytes] of option.shared.entries()) {
      factors[(firstShared + r) * columns + c] = bytes / (rest.shared[r] || 1);
    }
  }
  for (const row of kinds.keys()) factors[row * columns + own.length] = 1;
  for (const [i, d] of free.entries()) limits.fill(rest.free[d] ?? 0, kinds.length + 2 * i, kinds.length + 2 * i + 2);
  limits.fill(1, firstShared);
  const program = { profits, uppers, factors, limits };
  simplex.solve(program);
  const prices = simplex.prices();
  const perKind = new Float64Array(rest.left.length);
  for (const [row, k] of kinds.entries()) perKind[k] = (prices[row] ?? 0) / (rest.left[k] ?? 1);
  const perByte = Float64Array.from(rest.shared, (bytes, r) => (prices[firstShared + r] ?? 0) / (bytes || 1));
  return { bound: simplex.bound(program), prices: { kinds: perKind, shared: perByte } };
}
