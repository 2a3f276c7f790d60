/** Devices filled one after the other, each as the best mixture of plans for what is left says. */
import { fillDevice } from './fill-device.js';
import { FEW_NODES, type FillPlans, type Plan, type Shares } from './fill-plans.js';
import type { Simplex } from './linear-program.js';
import { Load, type Assignment } from './load.js';
import { everything, present, without, type Rest } from './rest.js';
import type { Device, Work } from './work.js';

/** Prices after each device. */
const QUICK = { rounds: 10, nodes: 200 } as const;
/** Plans tried for a device. */
const CANDIDATES = 4;
/** Devices filled in one dive, those filled in vain included. */
const STEPS = 60;
/** Numbers looked at in one dive, once there is an assignment. */
const MOST_WORK = 2e7;

/** An assignment that takes `ms`, or else the best that was met; null where something always stayed over that fits nowhere. */
export function dive(task: Work, plans: FillPlans, ms: number, root: Shares): Assignment | null {
  const own = new Dive(task, plans, ms, plans.simplex.work + MOST_WORK);
  const counts = task.devices.map(({ options }) => new Int32Array(options.length));
  own.descend({ counts, filled: new Set(), rest: everything(task), shares: root });
  return own.best;
}

interface State {
  readonly counts: readonly Int32Array[];
  readonly filled: ReadonlySet<number>;
  readonly rest: Rest;
  readonly shares: Shares;
}

class Dive {
  best: Assignment | null = null;
  private steps = 0;
  private readonly task: Work;
  private readonly plans: FillPlans;
  private readonly ms: number;
  private readonly lastWork: number;

  constructor(task: Work, plans: FillPlans, ms: number, lastWork: number) {
    this.lastWork = lastWork;
    this.task = task;
    this.plans = plans;
    this.ms = ms;
  }

  private isTired(): boolean {
    return this.steps >= STEPS || this.plans.simplex.work >= this.lastWork;
  }

  /** Whether everything found its place. */
  descend({ counts, filled, rest, shares }: State): boolean {
    const { task, plans, ms } = this;
    if (filled.size === task.devices.length || rest.left.every((left) => left === 0)) {
      const load = new Load(task, counts);
      const found = load.addAll(rest.left) ? load.shortened() : null;
      if (found !== null && (this.best === null || found.busiestMs < this.best.busiestMs)) this.best = found;
      return this.best !== null && this.best.busiestMs <= ms;
    }
    const tried = new Set<string>();
    for (const candidate of candidates(task, rest, shares, ms, plans.simplex)) {
      const key = `${candidate.device}:${candidate.counts.join()}`;
      if (tried.has(key)) continue;
      if (tried.size === CANDIDATES || (this.best !== null && this.isTired())) break;
      tried.add(key);
      this.steps += 1;
      const d = task.devices.findIndex(({ like }, i) => like === candidate.device && !filled.has(i));
      const after = without(task, rest, candidate.device, candidate.counts);
      const next = plans.shares(ms, after, shares.prices, QUICK);
      // Without an assignment yet, one that takes longer will do.
      if (next.impossible && this.best !== null) continue;
      const isDone = this.descend({
        counts: counts.map((own, i) => (i === d ? candidate.counts : own)),
        filled: new Set([...filled, d]),
        rest: after,
        shares: next,
      });
      if (isDone) return true;
    }
    return false;
  }
}

/** The plans of the mixture, the largest parts first, cut to what is left or replaced by what is worth more. */
function* candidates(
  task: Work,
  rest: Rest,
  { parts, prices }: Shares,
  ms: number,
  simplex: Simplex,
): Generator<{ device: number; counts: Int32Array }> {
  const own = parts.filter(({ plan }) => (rest.free[plan.device] ?? 0) > 0).sort((a, b) => b.part - a.part);
  const devices = present(rest.free);
  const best = (d: number): { counts: Int32Array; worth: number; value: (counts: Int32Array) => number } => {
    const device = task.devices[d];
    const options = device?.options ?? [];
    // Everything is worth something: what has no price is in nobody's way.
    const total = rest.left.reduce((sum, left) => sum + left, 0);
    const worth = Float64Array.from(options, ({ kind }) => (prices.kinds[kind] ?? 0) + 1e-6 / total);
    const value = (counts: Int32Array): number => counts.reduce((sum, count, j) => sum + count * (worth[j] ?? 0), 0);
    if (device === undefined) return { counts: new Int32Array(0), worth: 0, value };
    const { counts, worth: most } = fillDevice(
      device,
      worth,
      { ms, most: rest.left, shared: rest.shared },
      simplex,
      FEW_NODES,
    );
    return { counts, worth: most, value };
  };
  for (const { plan } of own) {
    const cut = cutTo(task.devices[plan.device], plan, rest);
    const other = best(plan.device);
    yield { device: plan.device, counts: other.worth > other.value(cut) * 1.001 ? other.counts : cut };
  }
  for (const d of devices) yield { device: d, counts: best(d).counts };
}

function cutTo(device: Device | undefined, plan: Plan, rest: Rest): Int32Array {
  const left = rest.left.slice();
  const room = [...rest.shared];
  return plan.counts.map((count, j) => {
    const option = device?.options[j];
    if (option === undefined || count === 0) return 0;
    let kept = Math.min(count, left[option.kind] ?? 0);
    for (const [r, use] of option.shared.entries()) {
      if (use > 0) kept = Math.min(kept, Math.max(0, Math.floor((room[r] ?? 0) / use)));
    }
    left[option.kind] = (left[option.kind] ?? 0) - kept;
    for (const [r, use] of option.shared.entries()) room[r] = (room[r] ?? 0) - kept * use;
    return kept;
  });
}
