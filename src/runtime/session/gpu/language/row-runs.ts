/** A decoder's runs by shape: bound once, and bound to other rows of the caches where a prompt begins in others. */
import { ProgramRun, type ProgramRunParts, type Recorded } from '../program/program-run.js';
import type { ProgramWires } from '../program/program-wires.js';

/** Rows of the caches, which follow one another and run together, and the new tokens of each. */
export interface RunShape {
  readonly rows: number;
  readonly tokens: number;
}

export interface RowRunsParts extends ProgramRunParts {
  /** @param place the first of the rows, which changes */
  readonly wiresOf: (shape: RunShape, place: { readonly first: number }) => ProgramWires;
  /** How prompts are recorded that run in rows from `first` on. Default: never. */
  readonly promptsRecorded?: (shape: RunShape, first: number) => Recorded;
}

interface BoundRun {
  readonly run: ProgramRun;
  readonly shape: RunShape;
  first: number;
}

export class RowRuns implements Disposable {
  readonly #parts: RowRunsParts;
  /** Of whole prompts the newest shape only, of single tokens all. */
  readonly #runs = new Map<string, BoundRun>();

  constructor(parts: RowRunsParts) {
    this.#parts = parts;
  }

  /** @param first the row of the caches that the run's rows begin with */
  of(shape: RunShape, first: number): ProgramRun {
    // A token that begins beside others is not what comes again and again.
    const key = `${shape.rows}x${shape.tokens}${shape.tokens === 1 && first > 0 ? ' beside' : ''}`;
    const known = this.#runs.get(key);
    // What is replayed is replayed where it was.
    const isElsewhere = known !== undefined && known.first !== first && known.run.replays;
    if (known === undefined || isElsewhere) return this.#start(key, shape, first);
    if (known.first !== first) {
      known.first = first;
      known.run.bindKept();
    }
    return known.run;
  }

  #start(key: string, shape: RunShape, first: number): ProgramRun {
    if (shape.tokens > 1) this.forget(({ tokens }) => tokens > 1);
    const place = { first };
    const run = new ProgramRun(this.#parts, this.#parts.wiresOf(shape, place), this.#recorded(shape, first));
    this.#runs.set(key, Object.assign(place, { run, shape }));
    return run;
  }

  #recorded(shape: RunShape, first: number): Recorded {
    if (shape.tokens === 1) return first === 0 ? 'at once' : 'never';
    return this.#parts.promptsRecorded?.(shape, first) ?? 'never';
  }

  forget(which: (shape: RunShape) => boolean = () => true): void {
    for (const [key, { shape, run }] of this.#runs) {
      if (!which(shape)) continue;
      run[Symbol.dispose]();
      this.#runs.delete(key);
    }
  }

  [Symbol.dispose](): void {
    this.forget();
  }
}
