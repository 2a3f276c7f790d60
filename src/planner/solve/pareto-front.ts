/** Pairs none of which dominates another (is no larger in both numbers): whether one of them dominates a given pair. */
import { numberAt } from './number-at.js';

export class ParetoFront {
  readonly peak0: number;
  readonly peak1: number;
  /** Ascending. */
  private readonly x: number[] = [];
  /** Descending. */
  private readonly y: number[] = [];

  constructor(peak0: number, peak1: number) {
    this.peak0 = peak0;
    this.peak1 = peak1;
  }

  dominates(x: number, y: number): boolean {
    const count = this.countUpTo(x);
    return count > 0 && numberAt(this.y, count - 1) <= y;
  }

  /** Adds a pair that is not dominated, in place of those that it dominates. */
  add(x: number, y: number): void {
    let start = this.countUpTo(x);
    if (start > 0 && numberAt(this.x, start - 1) === x) start -= 1;
    let end = start;
    while (end < this.x.length && numberAt(this.y, end) >= y) end += 1;
    this.x.splice(start, end - start, x);
    this.y.splice(start, end - start, y);
  }

  /** How many of the pairs have no larger first number. */
  private countUpTo(x: number): number {
    let low = 0;
    let high = this.x.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (numberAt(this.x, middle) <= x) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
