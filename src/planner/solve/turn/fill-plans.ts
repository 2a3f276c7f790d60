/**
 * Whether devices can do all the work within a time: what each of them may take at once is a plan, and a mixture of plans does
 * a share of the work. The largest share follows from prices per kind of item, to which more and more plans are added
 * (column generation). A share below 1 proves that nothing fits within the time.
 */
import { fillDevice } from './fill-device.js';
import { fluidShare } from './fluid-share.js';
import { Simplex } from './linear-program.js';
import { loadOf } from './load.js';
import { present, type Prices, type Rest } from './rest.js';
import type { Work } from './work.js';

/** What one device may do within a time. */
export interface Plan {
  /** The first of the devices that are equal to the one it is for. */
  readonly device: number;
  /** Per option of the device. */
  readonly counts: Int32Array;
  /** Per kind. */
  readonly kinds: Int32Array;
  readonly ms: number;
  readonly shared: readonly number[];
}

export interface Shares {
  /** Nothing can do the rest within the time. */
  readonly impossible: boolean;
  /** The share that a mixture of the known plans does, 1 at most. */
  readonly share: number;
  /** How much of each known plan is in the mixture. */
  readonly parts: readonly { readonly plan: Plan; readonly part: number }[];
  readonly prices: Prices;
}

const PROVEN = 1e-7;
/** Of a search for what a device should take: where nothing new comes of few, more show whether there is anything. */
export const FEW_NODES = 60;

export interface Thoroughness {
  /** Rounds of prices. */
  readonly rounds: number;
  /** Of a search for what a device should take. */
  readonly nodes: number;
}

export class FillPlans {
  readonly simplex = new Simplex();
  private readonly task: Work;
  private readonly plans = new Map<string, Plan>();

  constructor(task: Work) {
    this.task = task;
  }

  /** @param start prices to begin with */
  shares(ms: number, rest: Rest, start: Prices | null, { rounds, nodes: most }: Thoroughness): Shares {
    let known = start ?? fluidShare(this.task, rest, ms, this.simplex).prices;
    let mixture = this.mixture(ms, rest);
    let closest = Infinity;
    let prices = known;
    let used = prices;
    let nodes = FEW_NODES;
    for (let round = 0; round < rounds; round++) {
      const { bound, isNew } = this.price(ms, rest, used, nodes);
      if (bound < 1 - PROVEN) return { impossible: true, share: mixture.share, parts: mixture.parts, prices: used };
      if (bound < closest) {
        closest = bound;
        known = used;
      }
      if (!isNew && used === prices && round > 0) {
        if (nodes === most) break;
        nodes = most;
        continue;
      }
      nodes = FEW_NODES;
      if (isNew || round === 0) mixture = this.mixture(ms, rest);
      if (mixture.share >= 1 - PROVEN) break;
      prices = mixture.prices;
      // Prices halfway to the best known ones jump about less; where they find nothing new, the others have to.
      used = isNew ? middle(prices, known) : prices;
    }
    return { impossible: false, share: mixture.share, parts: mixture.parts, prices: known };
  }

  /** The best plan of every free device under these prices. */
  private price(ms: number, rest: Rest, prices: Prices, nodes: number): { bound: number; isNew: boolean } {
    const { devices } = this.task;
    let whole = 0;
    for (const [k, price] of prices.kinds.entries()) whole += price * (rest.left[k] ?? 0);
    let bound = 0;
    for (const [r, price] of prices.shared.entries()) bound += price * (rest.shared[r] ?? 0);
    let isNew = false;
    for (const d of present(rest.free)) {
      const device = devices[d];
      if (device === undefined) continue;
      const worth = Float64Array.from(device.options, ({ kind, shared }) => {
        let own = prices.kinds[kind] ?? 0;
        for (const [r, bytes] of shared.entries()) own -= bytes * (prices.shared[r] ?? 0);
        return own;
      });
      const filled = fillDevice(device, worth, { ms, most: rest.left, shared: rest.shared }, this.simplex, nodes);
      bound += (rest.free[d] ?? 0) * filled.bound;
      isNew = this.keep(d, filled.counts) || isNew;
    }
    return { bound: whole > 0 ? bound / whole : Infinity, isNew };
  }

  private keep(device: number, counts: Int32Array): boolean {
    const key = `${device}:${counts.join()}`;
    if (this.plans.has(key)) return false;
    const { options } = this.task.devices[device] ?? { options: [] };
    const kinds = new Int32Array(this.task.kinds.length);
    for (const [j, { kind }] of options.entries()) kinds[kind] = (kinds[kind] ?? 0) + (counts[j] ?? 0);
    this.plans.set(key, { device, counts, kinds, ...loadOf(options, counts) });
    return true;
  }

  /** The largest share of the rest that the known plans do together. */
  private mixture(ms: number, rest: Rest): { share: number; parts: { plan: Plan; part: number }[]; prices: Prices } {
    const kinds = present(rest.left);
    const devices = present(rest.free);
    const plans = [...this.plans.values()].filter(
      (plan) => plan.ms <= ms * (1 + 1e-12) && (rest.free[plan.device] ?? 0) > 0,
    );
    const columns = plans.length + 1;
    const rows = kinds.length + devices.length + rest.shared.length;
    const factors = new Float64Array(rows * columns);
    const limits = new Float64Array(rows);
    const profits = new Float64Array(columns);
    const uppers = new Float64Array(columns);
    profits[plans.length] = 1;
    uppers[plans.length] = 1;
    for (const [c, plan] of plans.entries()) {
      uppers[c] = rest.free[plan.device] ?? 0;
      for (const [row, k] of kinds.entries()) {
        const left = rest.left[k] ?? 1;
        factors[row * columns + c] = -Math.min(plan.kinds[k] ?? 0, left) / left;
      }
      factors[(kinds.length + devices.indexOf(plan.device)) * columns + c] = 1;
      for (const [r, bytes] of plan.shared.entries()) {
        factors[(kinds.length + devices.length + r) * columns + c] = bytes / (rest.shared[r] || 1);
      }
    }
    for (const row of kinds.keys()) factors[row * columns + plans.length] = 1;
    for (const [i, d] of devices.entries()) limits[kinds.length + i] = rest.free[d] ?? 0;
    for (const [r, bytes] of rest.shared.entries()) limits[kinds.length + devices.length + r] = bytes > 0 ? 1 : 0;
    this.simplex.solve({ profits, uppers, factors, limits });
    const values = this.simplex.values();
    const prices = this.simplex.prices();
    const perKind = new Float64Array(rest.left.length);
    for (const [row, k] of kinds.entries()) perKind[k] = (prices[row] ?? 0) / (rest.left[k] ?? 1);
    const perByte = Float64Array.from(
      rest.shared,
      (bytes, r) => (prices[kinds.length + devices.length + r] ?? 0) / (bytes || 1),
    );
    const parts = plans.flatMap((plan, c) => ((values[c] ?? 0) > 1e-9 ? [{ plan, part: values[c] ?? 0 }] : []));
    return { share: values[plans.length] ?? 0, parts, prices: { kinds: perKind, shared: perByte } };
  }
}

function middle(a: Prices, b: Prices): Prices {
  const half = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => (value + (y[i] ?? 0)) / 2);
  return { kinds: half(a.kinds, b.kinds), shared: half(a.shared, b.shared) };
}
