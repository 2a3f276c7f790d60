/** What a device can take that is worth most, within its time and bytes: branch and bound over how many of each option. */
import type { LinearProgram, Simplex } from './linear-program.js';
import type { Device, Option } from './work.js';

export interface Limits {
  readonly ms: number;
  /** Per kind, how many there are. */
  readonly most: Int32Array;
  /** Bytes left per shared resource. */
  readonly shared: readonly number[];
}

export interface Filled {
  /** Per option. */
  readonly counts: Int32Array;
  readonly worth: number;
  /** Nothing that fits is worth more. */
  readonly bound: number;
}

/** Where bounds and answers are this close, the rest is not worth a search. */
const CLOSE = 1e-4;
const WHOLE = 1e-6;

interface Node {
  /** Which of the device's peaks is the largest one used: from the first to the last of these. */
  readonly from: number;
  readonly to: number;
  readonly least: Int32Array;
  readonly most: Int32Array;
  readonly values: Float64Array;
  readonly bound: number;
}

/**
 * @param worth per option
 * @param nodes programs solved at most; then the bound is what is known by then
 */
export function fillDevice(
  device: Device,
  worth: Float64Array,
  limits: Limits,
  simplex: Simplex,
  nodes: number,
): Filled {
  const filling = new Filling(device, worth, limits, simplex);
  const bound = filling.run(nodes);
  return { counts: filling.counts, worth: filling.best, bound };
}

class Filling {
  /** Per option of the device. */
  readonly counts: Int32Array;
  best = 0;
  private readonly device: Device;
  private readonly limits: Limits;
  private readonly simplex: Simplex;
  /** The options that are worth something, those worth most first; all that follows is about these. */
  private readonly own: readonly number[];
  private readonly options: readonly Option[];
  private readonly worth: Float64Array;
  /** Rows of time, bytes and shared bytes, each divided by what there is of it. */
  private readonly rows: readonly Float64Array[];
  /** Kinds of which a program wanted more than there are, several options being of them. */
  private readonly joint: Float64Array[] = [];
  private readonly jointKinds: number[] = [];
  private readonly open: Node[] = [];

  constructor(device: Device, worth: Float64Array, limits: Limits, simplex: Simplex) {
    this.device = device;
    this.limits = limits;
    this.simplex = simplex;
    this.counts = new Int32Array(device.options.length);
    const own: number[] = [];
    for (const [j, { kind, ms }] of device.options.entries()) {
      if ((worth[j] ?? 0) > 0 && (limits.most[kind] ?? 0) > 0 && ms <= limits.ms) own.push(j);
    }
    own.sort((a, b) => (worth[b] ?? 0) - (worth[a] ?? 0));
    this.own = own;
    const options = own.flatMap((j) => device.options[j] ?? []);
    this.options = options;
    this.worth = Float64Array.from(own, (j) => worth[j] ?? 0);
    const row = (of: (option: Option) => number, limit: number): Float64Array =>
      Float64Array.from(options, (option) => of(option) / (limit > 0 ? limit : 1));
    this.rows = [
      row(({ ms }) => ms, limits.ms),
      row(({ bytes }) => bytes, device.bytes),
      ...limits.shared.map((bytes, r) => row(({ shared }) => shared[r] ?? 0, bytes)),
    ];
  }

  /** Returns a bound of what fits; `counts` and `best` are what was found. */
  run(most: number): number {
    const { options, device } = this;
    if (options.length === 0) return 0;
    const all = Int32Array.from(options, ({ kind }) => this.limits.most[kind] ?? 0);
    this.add(0, device.peaks.length - 1, new Int32Array(options.length), all);
    for (let nodes = 0; nodes < most; nodes++) {
      const node = this.mostPromising();
      if (node === null) return this.enough();
      if (node.from < node.to) this.branchOnPeak(node);
      else this.branchOnCount(node);
    }
    return this.open.reduce((top, { bound }) => Math.max(top, bound), this.enough());
  }

  private enough(): number {
    return this.best * (1 + CLOSE);
  }

  private mostPromising(): Node | null {
    let at = -1;
    let most = this.enough();
    for (let i = 0; i < this.open.length; i++) {
      const bound = this.open[i]?.bound ?? 0;
      if (bound <= most) continue;
      most = bound;
      at = i;
    }
    const node = this.open[at];
    if (node === undefined) return null;
    this.open[at] = this.open.at(-1) ?? node;
    this.open.pop();
    return node;
  }

  /** Below the largest peak that is in use, and from it on; else in the middle. */
  private branchOnPeak({ from, to, least, most, values }: Node): void {
    let used = 0;
    for (let j = 0; j < values.length; j++) {
      if ((values[j] ?? 0) > WHOLE) used = Math.max(used, this.options[j]?.peak ?? 0);
    }
    const at = this.device.peaks.indexOf(used);
    const split = at > from && at <= to ? at - 1 : Math.floor((from + to) / 2);
    this.add(from, split, least, most);
    this.add(split + 1, to, least, most);
  }

  private branchOnCount({ from, to, least, most, values }: Node): void {
    let j = -1;
    let farthest = WHOLE;
    for (let k = 0; k < values.length; k++) {
      const value = values[k] ?? 0;
      const off = Math.abs(value - Math.round(value));
      if (off <= farthest) continue;
      farthest = off;
      j = k;
    }
    if (j < 0) return;
    const whole = Math.floor(values[j] ?? 0);
    const fewer = most.slice();
    fewer[j] = whole;
    const more = least.slice();
    more[j] = whole + 1;
    this.add(from, to, least, fewer);
    this.add(from, to, more, most);
  }

  private add(from: number, to: number, least: Int32Array, wanted: Int32Array): void {
    const { options, device, worth } = this;
    const highest = device.peaks[to] ?? 0;
    const most = wanted.slice();
    let base = 0;
    for (let j = 0; j < options.length; j++) {
      if ((options[j]?.peak ?? 0) > highest) most[j] = 0;
      if ((most[j] ?? 0) < (least[j] ?? 0)) return;
      base += (least[j] ?? 0) * (worth[j] ?? 0);
    }
    for (;;) {
      const program = this.programOf(device.peaks[from] ?? 0, least, most);
      if (program === null) return;
      this.simplex.solve(program);
      const bound = base + this.simplex.bound(program);
      if (bound <= this.enough()) return;
      const values = this.simplex.values();
      for (let j = 0; j < values.length; j++) values[j] = (values[j] ?? 0) + (least[j] ?? 0);
      if (this.joins(values)) continue;
      this.tryWhole(values, highest, most);
      if (bound > this.enough()) this.open.push({ from, to, least, most, values, bound });
      return;
    }
  }

  /** Rows for kinds of which these values take more than there are. */
  private joins(values: Float64Array): boolean {
    const { options } = this;
    const { most } = this.limits;
    const taken = new Float64Array(most.length);
    for (let j = 0; j < values.length; j++) {
      const kind = options[j]?.kind ?? 0;
      taken[kind] = (taken[kind] ?? 0) + (values[j] ?? 0);
    }
    let isNew = false;
    for (let kind = 0; kind < taken.length; kind++) {
      if ((taken[kind] ?? 0) <= (most[kind] ?? 0) + WHOLE || this.jointKinds.includes(kind)) continue;
      this.jointKinds.push(kind);
      this.joint.push(Float64Array.from(options, (option) => (option.kind === kind ? 1 / (most[kind] ?? 1) : 0)));
      isNew = true;
    }
    return isNew;
  }

  /** What is left when every option has its least; null where even that is too much. */
  private programOf(peak: number, least: Int32Array, most: Int32Array): LinearProgram | null {
    const { rows, joint, worth } = this;
    const { bytes } = this.device;
    const columns = least.length;
    const factors = new Float64Array((rows.length + joint.length) * columns);
    const limits = new Float64Array(rows.length + joint.length);
    for (let i = 0; i < limits.length; i++) {
      const row = (i < rows.length ? rows[i] : joint[i - rows.length]) ?? worth;
      let rest = i === 1 && bytes > 0 ? 1 - peak / bytes : 1;
      for (let j = 0; j < columns; j++) rest -= (least[j] ?? 0) * (row[j] ?? 0);
      if (rest < -1e-12) return null;
      limits[i] = Math.max(0, rest);
      factors.set(row, i * columns);
    }
    const uppers = new Float64Array(columns);
    for (let j = 0; j < columns; j++) uppers[j] = (most[j] ?? 0) - (least[j] ?? 0);
    return { profits: worth, uppers, factors, limits };
  }

  /** Rounded down, and filled up with what is worth most. */
  private tryWhole(values: Float64Array, peak: number, most: Int32Array): void {
    const { options, own, worth, limits } = this;
    const counts = new Int32Array(values.length);
    const left = limits.most.slice();
    const shared = [...limits.shared];
    let { ms } = limits;
    let bytes = this.device.bytes - peak;
    let total = 0;
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < values.length; j++) {
        const option = options[j];
        if (option === undefined) continue;
        const wanted = pass === 0 ? Math.floor((values[j] ?? 0) + WHOLE) : (most[j] ?? 0) - (counts[j] ?? 0);
        let count = Math.min(wanted, left[option.kind] ?? 0);
        if (count > 0) count = Math.min(count, times(ms, option.ms), times(bytes, option.bytes));
        for (let r = 0; r < shared.length && count > 0; r++) {
          count = Math.min(count, times(shared[r] ?? 0, option.shared[r] ?? 0));
        }
        if (count <= 0) continue;
        counts[j] = (counts[j] ?? 0) + count;
        left[option.kind] = (left[option.kind] ?? 0) - count;
        ms -= count * option.ms;
        bytes -= count * option.bytes;
        for (let r = 0; r < shared.length; r++) shared[r] = (shared[r] ?? 0) - count * (option.shared[r] ?? 0);
        total += count * (worth[j] ?? 0);
      }
    }
    if (total <= this.best) return;
    this.best = total;
    this.counts.fill(0);
    for (let j = 0; j < counts.length; j++) this.counts[own[j] ?? 0] = counts[j] ?? 0;
  }
}

/** How often something fits. */
function times(room: number, each: number): number {
  return each > 0 ? Math.floor((room / each) * (1 + 1e-12)) : Infinity;
}
