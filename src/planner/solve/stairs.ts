/** Pairs none of which is as small as another in both numbers: whether one of them is no larger than a given pair. */
export class Stairs {
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

  covers(x: number, y: number): boolean {
    const step = this.stepsUpTo(x);
    return step > 0 && (this.y[step - 1] ?? Infinity) <= y;
  }

  /** Adds a pair that is not covered, in place of those that it covers. */
  add(x: number, y: number): void {
    let start = this.stepsUpTo(x);
    if (start > 0 && this.x[start - 1] === x) start -= 1;
    let end = start;
    while (end < this.x.length && (this.y[end] ?? 0) >= y) end += 1;
    this.x.splice(start, end - start, x);
    this.y.splice(start, end - start, y);
  }

  /** How many of the pairs have no larger first number. */
  private stepsUpTo(x: number): number {
    let low = 0;
    let high = this.x.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.x[middle] ?? Infinity) <= x) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
