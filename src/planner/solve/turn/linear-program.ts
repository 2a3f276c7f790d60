/**
 * Small linear programs: the simplex method on a dense table, for variables between zero and an upper bound and rows that
 * all of them at zero keep to, so that there is always a place to start.
 */

/** Maximises the sum of `profits` times values. */
export interface LinearProgram {
  /** Per variable. */
  readonly profits: Float64Array;
  readonly uppers: Float64Array;
  /** Row by row, a factor per variable. */
  readonly factors: Float64Array;
  /** Per row, what its sum may come to: zero or more. */
  readonly limits: Float64Array;
}

const TINY = 1e-9;

/** One table for many programs, one after the other. */
export class Simplex {
  /** Numbers looked at so far: a measure of time that is the same on every machine. */
  work = 0;
  private columns = 0;
  private rows = 0;
  private width = 0;
  /** Row by row: variables, slacks, right-hand side; the last row holds what each variable still gains. */
  private cells = new Float64Array(0);
  private uppers = new Float64Array(0);
  private basis = new Int32Array(0);
  /** Variables that are counted down from their upper bound. */
  private flipped = new Uint8Array(0);

  solve(program: LinearProgram): void {
    this.load(program);
    this.work += (this.rows + 1) * this.width;
    const patience = 4 * (this.rows + this.columns);
    const most = 20 * patience;
    for (let step = 0; step < most; step++) {
      const entering = this.entering(step > patience);
      if (entering < 0) return;
      this.enter(entering);
      this.work += (this.rows + 1) * this.width;
    }
  }

  /** Per variable. */
  values(): Float64Array {
    const { columns, rows, width } = this;
    const values = new Float64Array(columns);
    for (let i = 0; i < rows; i++) {
      const j = this.basis[i] ?? 0;
      if (j < columns) values[j] = Math.max(0, this.cells[(i + 1) * width - 1] ?? 0);
    }
    for (let j = 0; j < columns; j++) {
      if (this.flipped[j] === 1) values[j] = (this.uppers[j] ?? 0) - (values[j] ?? 0);
    }
    return values;
  }

  /** Per row, zero or more: what one more of its limit is worth. */
  prices(): Float64Array {
    const start = this.rows * this.width + this.columns;
    const prices = new Float64Array(this.rows);
    for (let i = 0; i < this.rows; i++) prices[i] = Math.max(0, -(this.cells[start + i] ?? 0));
    return prices;
  }

  /** What no values exceed. It holds for any prices, so it does not depend on how exactly they were found. */
  bound({ profits, uppers, factors, limits }: LinearProgram): number {
    const { columns, rows } = this;
    const start = rows * this.width + columns;
    let bound = 0;
    for (let i = 0; i < rows; i++) bound += Math.max(0, -(this.cells[start + i] ?? 0)) * (limits[i] ?? 0);
    for (let j = 0; j < columns; j++) {
      let gain = profits[j] ?? 0;
      for (let i = 0; i < rows; i++) gain += Math.min(0, this.cells[start + i] ?? 0) * (factors[i * columns + j] ?? 0);
      if (gain > 0) bound += gain * (uppers[j] ?? 0);
    }
    return bound;
  }

  private load({ profits, uppers, factors, limits }: LinearProgram): void {
    const columns = profits.length;
    const rows = limits.length;
    const width = columns + rows + 1;
    const size = (rows + 1) * width;
    this.columns = columns;
    this.rows = rows;
    this.width = width;
    if (this.cells.length < size) this.cells = new Float64Array(2 * size);
    else this.cells.fill(0, 0, size);
    if (this.uppers.length < columns + rows) {
      this.uppers = new Float64Array(2 * (columns + rows));
      this.flipped = new Uint8Array(2 * (columns + rows));
      this.basis = new Int32Array(2 * (columns + rows));
    }
    this.flipped.fill(0);
    const { cells } = this;
    for (let j = 0; j < columns; j++) {
      this.uppers[j] = uppers[j] ?? 0;
      cells[rows * width + j] = profits[j] ?? 0;
    }
    for (let i = 0; i < rows; i++) {
      const start = i * width;
      for (let j = 0; j < columns; j++) cells[start + j] = factors[i * columns + j] ?? 0;
      cells[start + columns + i] = 1;
      cells[start + width - 1] = limits[i] ?? 0;
      this.uppers[columns + i] = Infinity;
      this.basis[i] = columns + i;
    }
  }

  /** The variable that gains most, or the first that gains, which cannot go round in circles. */
  private entering(first: boolean): number {
    const { cells, width } = this;
    const start = this.rows * width;
    let best = -1;
    let most = TINY;
    for (let j = 0; j < width - 1; j++) {
      const gain = cells[start + j] ?? 0;
      if (gain <= most || this.uppers[j] === 0) continue;
      best = j;
      if (first) return best;
      most = gain;
    }
    return best;
  }

  private enter(j: number): void {
    const { cells, width, rows, uppers, basis } = this;
    let step = uppers[j] ?? 0;
    let row = -1;
    let toUpper = false;
    for (let i = 0; i < rows; i++) {
      const factor = cells[i * width + j] ?? 0;
      if (factor <= TINY && factor >= -TINY) continue;
      const value = Math.max(0, cells[(i + 1) * width - 1] ?? 0);
      const room = factor > 0 ? value / factor : ((uppers[basis[i] ?? 0] ?? 0) - value) / -factor;
      if (room < step || (room === step && row >= 0 && (basis[i] ?? 0) < (basis[row] ?? 0))) {
        step = room;
        row = i;
        toUpper = factor < 0;
      }
    }
    if (row >= 0) {
      if (toUpper) this.flipBasic(row);
      this.pivot(row, j);
    } else if (step < Infinity) this.flip(j);
    else uppers[j] = 0;
  }

  private flip(j: number): void {
    const { cells, width, rows } = this;
    const upper = this.uppers[j] ?? 0;
    for (let i = 0; i <= rows; i++) {
      const factor = cells[i * width + j] ?? 0;
      if (factor === 0) continue;
      const end = (i + 1) * width - 1;
      cells[end] = (cells[end] ?? 0) - factor * upper;
      cells[i * width + j] = -factor;
    }
    this.flipped[j] = 1 - (this.flipped[j] ?? 0);
  }

  private flipBasic(row: number): void {
    const { cells, width } = this;
    const own = this.basis[row] ?? 0;
    const start = row * width;
    for (let k = 0; k < width; k++) cells[start + k] = -(cells[start + k] ?? 0);
    cells[start + own] = 1;
    cells[start + width - 1] = (cells[start + width - 1] ?? 0) + (this.uppers[own] ?? 0);
    this.flipped[own] = 1 - (this.flipped[own] ?? 0);
  }

  private pivot(row: number, j: number): void {
    const { cells, width, rows } = this;
    const start = row * width;
    const scale = 1 / (cells[start + j] ?? 1);
    for (let k = 0; k < width; k++) cells[start + k] = (cells[start + k] ?? 0) * scale;
    cells[start + j] = 1;
    for (let i = 0; i <= rows; i++) {
      const own = i * width;
      const factor = cells[own + j] ?? 0;
      if (i === row || factor === 0) continue;
      for (let k = 0; k < width; k++) cells[own + k] = (cells[own + k] ?? 0) - factor * (cells[start + k] ?? 0);
      cells[own + j] = 0;
    }
    this.basis[row] = j;
  }
}
