/** What devices have taken, and how the busiest of them gets rid of some of it. */
import type { Device, Option, Work } from './work.js';

/** How many of each option every device takes, and for how long the busiest of them is busy. */
export interface Assignment {
  readonly counts: readonly Int32Array[];
  readonly busiestMs: number;
}

/** Gains below this fraction are not worth a change. */
const LEAST_GAIN = 1e-9;
const MOST_CHANGES = 500;

export class Load {
  private readonly devices: readonly Device[];
  private readonly counts: readonly Int32Array[];
  private readonly ms: Float64Array;
  private readonly bytes: Float64Array;
  /** Left, per shared resource. */
  private readonly shared: Float64Array;

  constructor({ devices, shared }: Work, counts: readonly Int32Array[]) {
    this.devices = devices;
    this.counts = counts.map((own) => own.slice());
    this.ms = new Float64Array(devices.length);
    this.bytes = new Float64Array(devices.length);
    this.shared = Float64Array.from(shared);
    for (const [d, own] of counts.entries())
      for (const [j, count] of own.entries()) if (count > 0) this.add(d, j, count, 0);
  }

  /** Adds so many of each kind, the longest first, each where it is done soonest; false where one fits nowhere. */
  addAll(over: Int32Array): boolean {
    const options = this.devices.flatMap((device) => device.options);
    const least = (kind: number): number =>
      options.reduce((ms, option) => (option.kind === kind ? Math.min(ms, option.ms) : ms), Infinity);
    const kinds = [...over.keys()].filter((kind) => (over[kind] ?? 0) > 0).sort((a, b) => least(b) - least(a));
    for (const kind of kinds) {
      for (let n = 0; n < (over[kind] ?? 0); n++) {
        const place = this.soonest(kind);
        if (place === null) return false;
        this.add(place.d, place.j, 1);
      }
    }
    return true;
  }

  /** With items moved and exchanged for as long as that makes the busiest device less busy. */
  shortened(): Assignment {
    for (let change = 0; change < MOST_CHANGES && this.relieve(); change++);
    return { counts: this.counts, busiestMs: Math.max(...this.ms) };
  }

  private soonest(kind: number): { d: number; j: number } | null {
    let best: { d: number; j: number } | null = null;
    let soonest = Infinity;
    for (const [d, { options }] of this.devices.entries()) {
      for (const [j, option] of options.entries()) {
        const after = (this.ms[d] ?? 0) + option.ms;
        if (option.kind !== kind || after >= soonest || !this.fitsAfter(d, null, option)) continue;
        best = { d, j };
        soonest = after;
      }
    }
    return best;
  }

  /** One change that helps the busiest device; false where there is none. */
  private relieve(): boolean {
    const busiest = this.ms.indexOf(Math.max(...this.ms));
    const before = (this.ms[busiest] ?? 0) * (1 - LEAST_GAIN);
    for (const [j, own] of this.taken(busiest)) {
      for (const [d, { options }] of this.devices.entries()) {
        for (const [k, option] of options.entries()) {
          if (option.kind !== own.kind || (d === busiest && k === j)) continue;
          if (d === busiest) {
            if (option.ms < own.ms && this.fitsAfter(d, j, option))
              return this.change([
                [d, j, -1],
                [d, k, 1],
              ]);
            continue;
          }
          if ((this.ms[d] ?? 0) + option.ms < before && this.fitsAfter(d, null, option, own)) {
            return this.change([
              [busiest, j, -1],
              [d, k, 1],
            ]);
          }
          if (this.exchange(busiest, j, d, k, before)) return true;
        }
      }
    }
    return false;
  }

  /** Gives one of `j` to device `d` as its option `k`, and takes something shorter from there. */
  private exchange(from: number, j: number, d: number, k: number, before: number): boolean {
    const [own, moved] = [this.devices[from]?.options[j], this.devices[d]?.options[k]];
    if (own === undefined || moved === undefined) return false;
    for (const [other, back] of this.taken(d)) {
      if (back.kind === own.kind || (this.ms[d] ?? 0) + moved.ms - back.ms >= before) continue;
      if (!this.fitsAfter(d, other, moved)) continue;
      for (const [r, option] of (this.devices[from]?.options ?? []).entries()) {
        if (option.kind !== back.kind || (this.ms[from] ?? 0) - own.ms + option.ms >= before) continue;
        if (!this.fitsAfter(from, j, option)) continue;
        return this.change([
          [from, j, -1],
          [d, k, 1],
          [d, other, -1],
          [from, r, 1],
        ]);
      }
    }
    return false;
  }

  private taken(d: number): [number, Option][] {
    const counts = this.counts[d];
    return (this.devices[d]?.options ?? []).flatMap((option, j): [number, Option][] =>
      (counts?.[j] ?? 0) > 0 ? [[j, option]] : [],
    );
  }

  private change(steps: readonly (readonly [d: number, j: number, count: number])[]): boolean {
    for (const [d, j, count] of steps) this.add(d, j, count);
    if (this.shared.every((left) => left >= 0)) return true;
    for (const [d, j, count] of steps) this.add(d, j, -count);
    return false;
  }

  private add(d: number, j: number, count: number, already = 1): void {
    const option = this.devices[d]?.options[j];
    const own = this.counts[d];
    if (option === undefined || own === undefined) return;
    own[j] = (own[j] ?? 0) + already * count;
    this.ms[d] = (this.ms[d] ?? 0) + count * option.ms;
    this.bytes[d] = (this.bytes[d] ?? 0) + count * option.bytes;
    for (const [r, use] of option.shared.entries()) this.shared[r] = (this.shared[r] ?? 0) - count * use;
  }

  /** Whether a device has room for an option, without one of another, and the shared resources, too, without `elsewhere`. */
  private fitsAfter(d: number, without: number | null, option: Option, elsewhere?: Option): boolean {
    const device = this.devices[d];
    if (device === undefined) return false;
    const gone = without === null ? undefined : device.options[without];
    for (let r = 0; r < this.shared.length; r++) {
      const left = (this.shared[r] ?? 0) + (gone?.shared[r] ?? 0) + (elsewhere?.shared[r] ?? 0);
      if ((option.shared[r] ?? 0) > left) return false;
    }
    if (device.bytes === 0) return true;
    let peak = option.peak;
    const counts = this.counts[d];
    for (const [j, other] of device.options.entries()) {
      if (other.peak > peak && (counts?.[j] ?? 0) > (j === without ? 1 : 0)) peak = other.peak;
    }
    return (this.bytes[d] ?? 0) - (gone?.bytes ?? 0) + option.bytes + peak <= device.bytes;
  }
}

/** Milliseconds and shared bytes of so many of each option. */
export function loadOf(options: readonly Option[], counts: Int32Array): { ms: number; shared: number[] } {
  let ms = 0;
  const shared = (options[0]?.shared ?? []).map(() => 0);
  for (const [j, option] of options.entries()) {
    const count = counts[j] ?? 0;
    if (count === 0) continue;
    ms += count * option.ms;
    for (const [r, use] of option.shared.entries()) shared[r] = (shared[r] ?? 0) + count * use;
  }
  return { ms, shared };
}
