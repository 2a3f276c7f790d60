/** A linear program over whole numbers, and what solves one: the planner brings the numbers, whoever calls it the solver. */
import { at } from '../../../checked-access.js';

/**
 * As a fraction of a cost: what counts as cheaper here, and what a bound of an integer solver is lowered by. It keeps to its
 * rows within 1e-7 MiB and milliseconds, so its bounds are off by less than a thousandth of this.
 */
export const INTEGER_TOLERANCE = 1e-6;

/** A program over columns that are at least 0, some of them whole, each row a sum within two limits. */
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

/** What an integer solver found, and what it proved. */
export interface IntegerAnswer {
  /** The best values found, one per column; null where there are none, or none were found. */
  readonly values: Float64Array | null;
  /** No values cost less, as far as the solver's tolerances go. */
  readonly bound: number;
  /** Of a program without whole numbers, one per row: what the least cost gains with its limit. */
  readonly duals?: Float64Array | null;
}

/** When an integer solver may end. */
export interface IntegerLimits {
  /** Only values that cost less are of interest: a bound that high ends the search. */
  readonly cutoff: number;
  /** Values that keep to the rows, to begin with; the answer is at least as good. */
  readonly start?: Float64Array | null;
  /** Simplex iterations after which the search ends with what is known by then. Default: as many as it takes. */
  readonly iterations?: number;
  /** Fewer of them, for where more than a fraction of the best values' cost is open still. */
  readonly wide?: { readonly gap: number; readonly iterations: number } | undefined;
  /** Whether the search may begin anew once enough is settled at its root. Default: true. */
  readonly restarts?: boolean | undefined;
  /** Asked again and again; true ends the search with what is known by then. */
  readonly stop: () => boolean;
}

/** Solves a program to its end or to a limit; the same program under the same limits gets the same answer, unless stopped. */
export type IntegerSolver = (program: IntegerProgram, limits: IntegerLimits) => IntegerAnswer;

/** A term of a row: a column and its factor. */
export type Term = readonly [column: number, factor: number];

/** Place of every item, or null while there is none. */
type Choice = readonly number[];

export interface ColumnOptions {
  readonly upper?: number;
  readonly cost?: number;
  readonly whole?: boolean;
  /** Its value in a placement. */
  readonly value: (choice: Choice) => number;
}

/** A program in the making; every column knows its value in a given placement. */
export class ProgramDraft {
  private readonly columns: { cost: number; readonly upper: number; readonly whole: boolean }[] = [];
  private readonly values: ((choice: Choice) => number)[] = [];
  private readonly rows: Row[] = [];

  /** Adds a variable and returns its number. */
  column({ upper = 1, cost = 0, whole = true, value }: ColumnOptions): number {
    this.columns.push({ cost, upper, whole });
    this.values.push(value);
    return this.columns.length - 1;
  }

  charge(column: number, cost: number): void {
    at(this.columns, column).cost += cost;
  }

  row(terms: readonly Term[], { low = -Infinity, high = Infinity }: { low?: number; high?: number }): void {
    const sums = new Map<number, number>();
    for (const [column, factor] of terms) sums.set(column, (sums.get(column) ?? 0) + factor);
    this.rows.push({ columns: [...sums.keys()], factors: [...sums.values()], low, high });
  }

  /** A row that has columns sum up to a number. */
  sum(columns: readonly number[], total: number): void {
    const terms = columns.map((column): Term => [column, 1]);
    this.row(terms, { low: total, high: total });
  }

  /** A row that keeps one column below another. */
  atMost(column: number, other: number): void {
    const terms: Term[] = [
      [column, 1],
      [other, -1],
    ];
    this.row(terms, { high: 0 });
  }

  /** What a column cannot exceed. */
  upperOf(column: number): number {
    return at(this.columns, column).upper;
  }

  program(): IntegerProgram {
    return { columns: this.columns, rows: this.rows };
  }

  valuesOf(choice: Choice): Float64Array {
    return Float64Array.from(this.values, (value) => value(choice));
  }
}
