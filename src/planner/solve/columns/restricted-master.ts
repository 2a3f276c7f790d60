/**
 * The linear program over the columns found so far: shares of whole placements of one device, such that every item is taken
 * once and every device once. A revised simplex with a dense inverse, warm from one round to the next; there are a few dozen
 * rows.
 */

export interface MasterColumn {
  cost: number;
  /** Row -> factor. */
  readonly rows: readonly (readonly [row: number, factor: number])[];
}

const TOLERANCE = 1e-9;
const MOST_PIVOTS = 400;

export class RestrictedMaster {
  private readonly size: number;
  private readonly equal: number;
  private readonly columns: MasterColumn[] = [];
  private readonly basis: Int32Array;
  private readonly inverse: Float64Array;
  private readonly values: Float64Array;
  private readonly direction: Float64Array;
  /** What a unit of each row is worth. */
  readonly duals: Float64Array;

  /** The rows `[0, equal)` are to be met exactly; what is missing or too much is paid for (`spread`). The others are limits. */
  constructor(limits: readonly number[], equal: number) {
    const size = limits.length;
    this.size = size;
    this.basis = Int32Array.from({ length: size }, (_, k) => k);
    this.inverse = new Float64Array(size * size);
    this.values = Float64Array.from(limits);
    this.direction = new Float64Array(size);
    this.duals = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      this.inverse[k * size + k] = 1;
      this.columns.push({ cost: 0, rows: [[k, 1]] });
    }
    for (let k = 0; k < equal; k++) this.columns.push({ cost: 0, rows: [[k, -1]] });
    this.equal = equal;
  }

  /** Keeps the worth of each row to be met within `spread` of `center`. */
  keepNear(center: Float64Array, spread: Float64Array): void {
    for (let k = 0; k < this.equal; k++) {
      const [missing, over] = [this.columns[k], this.columns[this.size + k]];
      if (missing !== undefined) missing.cost = (center[k] ?? 0) + (spread[k] ?? 0);
      if (over !== undefined) over.cost = (spread[k] ?? 0) - (center[k] ?? 0);
    }
  }

  /** Whether some row is paid for instead of met: its worth is at the edge of what is allowed. */
  get strained(): boolean {
    return this.basis.some(
      (j, k) => (j < this.equal || (j >= this.size && j < this.size + this.equal)) && (this.values[k] ?? 0) > 1e-7,
    );
  }

  add(column: MasterColumn): void {
    this.columns.push(column);
  }

  get objective(): number {
    let sum = 0;
    for (let k = 0; k < this.size; k++) sum += (this.columns[this.basis[k] ?? 0]?.cost ?? 0) * (this.values[k] ?? 0);
    return sum;
  }

  solve(): void {
    for (let pivot = 0; pivot < MOST_PIVOTS; pivot++) {
      this.price();
      let entering = -1;
      let least = -TOLERANCE;
      for (const [j, column] of this.columns.entries()) {
        const reduced = this.reducedCost(column);
        if (reduced < least * Math.max(1, Math.abs(column.cost))) {
          least = reduced;
          entering = j;
        }
      }
      if (entering < 0 || !this.enter(entering)) return;
    }
  }

  reducedCost({ cost, rows }: MasterColumn): number {
    let reduced = cost;
    for (const [row, factor] of rows) reduced -= factor * (this.duals[row] ?? 0);
    return reduced;
  }

  private price(): void {
    const { size, inverse, basis, columns, duals } = this;
    duals.fill(0);
    for (let k = 0; k < size; k++) {
      const cost = columns[basis[k] ?? 0]?.cost ?? 0;
      if (cost === 0) continue;
      for (let r = 0; r < size; r++) duals[r] = (duals[r] ?? 0) + cost * (inverse[k * size + r] ?? 0);
    }
  }

  private enter(entering: number): boolean {
    const { size, inverse, values, direction } = this;
    const rows = this.columns[entering]?.rows ?? [];
    let leaving = -1;
    let most = Infinity;
    for (let k = 0; k < size; k++) {
      let sum = 0;
      for (const [row, factor] of rows) sum += factor * (inverse[k * size + row] ?? 0);
      direction[k] = sum;
      if (sum <= 1e-7) continue;
      const ratio = Math.max(0, values[k] ?? 0) / sum;
      if (ratio < most - 1e-12 || (ratio <= most + 1e-12 && sum > (direction[leaving] ?? 0))) {
        most = Math.min(most, ratio);
        leaving = k;
      }
    }
    if (leaving < 0) return false;
    const pivot = direction[leaving] ?? 1;
    for (let r = 0; r < size; r++) inverse[leaving * size + r] = (inverse[leaving * size + r] ?? 0) / pivot;
    values[leaving] = Math.max(0, values[leaving] ?? 0) / pivot;
    const step = values[leaving] ?? 0;
    for (let k = 0; k < size; k++) {
      const factor = direction[k] ?? 0;
      if (k === leaving || factor === 0) continue;
      for (let r = 0; r < size; r++) {
        inverse[k * size + r] = (inverse[k * size + r] ?? 0) - factor * (inverse[leaving * size + r] ?? 0);
      }
      values[k] = (values[k] ?? 0) - factor * step;
    }
    this.basis[leaving] = entering;
    return true;
  }
}
