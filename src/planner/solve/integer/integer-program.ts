/** A linear program over whole numbers, and what solves one: the planner brings the numbers, whoever calls it the solver. */

export interface IntegerProgram {
  /** Minimised: the sum of `cost` times value. */
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** A variable between 0 and `upper`. */
export interface Column {
  readonly cost: number;
  readonly upper: number;
  readonly whole: boolean;
}

/** `low` <= sum of `factors` times the values of `columns` <= `high`. */
export interface Row {
  readonly columns: readonly number[];
  readonly factors: readonly number[];
  readonly low: number;
  readonly high: number;
}

export interface IntegerAnswer {
  /** The best values found, one per column; null where there are none, or none were found. */
  readonly values: Float64Array | null;
  /** No values cost less, as far as the solver's tolerances go. */
  readonly bound: number;
}

export interface IntegerLimits {
  /** Only values that cost less are of interest: a bound that high ends the search. */
  readonly cutoff: number;
  /** Asked again and again; true ends the search with what is known by then. */
  readonly stop: () => boolean;
}

/** Solves a program to its end or until it is stopped; the same program without a stop gets the same answer. */
export type IntegerSolver = (program: IntegerProgram, limits: IntegerLimits) => IntegerAnswer;

/** A term of a row: a column and its factor. */
export type Term = readonly [column: number, factor: number];

/** A program in the making. */
export class ProgramDraft {
  private readonly columns: { cost: number; readonly upper: number; readonly whole: boolean }[] = [];
  private readonly rows: Row[] = [];

  /** Adds a variable and returns its number. */
  column(upper: number, cost = 0, whole = true): number {
    this.columns.push({ cost, upper, whole });
    return this.columns.length - 1;
  }

  charge(column: number, cost: number): void {
    const own = this.columns[column];
    if (own !== undefined) own.cost += cost;
  }

  row(terms: readonly Term[], { low = -Infinity, high = Infinity }: { low?: number; high?: number }): void {
    const sums = new Map<number, number>();
    for (const [column, factor] of terms) sums.set(column, (sums.get(column) ?? 0) + factor);
    this.rows.push({ columns: [...sums.keys()], factors: [...sums.values()], low, high });
  }

  finished(): IntegerProgram {
    return { columns: this.columns, rows: this.rows };
  }
}
