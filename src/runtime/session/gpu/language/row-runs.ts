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
  readonly kind: RunKind;
  first: number;
}

type RunKind = 'prompts' | 'steps' | 'tokens beside';

export class RowRuns implements Disposable {
  readonly #parts: RowRunsParts;
  /** The newest shape of each kind: every one has memory of its own. Of steps that are recorded all. */
  readonly #runs = new Map<string, BoundRun>();

  constructor(parts: RowRunsParts) {
    this.#parts = parts;
  }

  /** @param first the row of the caches that the run's rows begin with */
  of(shape: RunShape, first: number): ProgramRun {
    const kind = kindOf(shape, first);
    const key = `${kind} ${shape.rows}x${shape.tokens}`;
    const known = this.#runs.get(key);
    // What is replayed is replayed where it was.
    const isElsewhere = known !== undefined && known.first !== first && known.run.replays;
    if (known === undefined || isElsewhere) return this.#start({ key, kind, shape, first });
    if (known.first !== first) {
      known.first = first;
      known.run.bindKept();
    }
    return known.run;
  }

  #start({ key, kind, shape, first }: { key: string; kind: RunKind; shape: RunShape; first: number }): ProgramRun {
    if (kind !== 'steps' || !this.#parts.program.recordsAny) this.#forget((other) => other === kind);
    const place = { first };
    const run = new ProgramRun(this.#parts, this.#parts.wiresOf(shape, place), this.#recorded(kind, shape, first));
    this.#runs.set(key, Object.assign(place, { run, kind }));
    return run;
  }

  #recorded(kind: RunKind, shape: RunShape, first: number): Recorded {
    if (kind === 'steps') return 'at once';
    return kind === 'prompts' ? (this.#parts.promptsRecorded?.(shape, first) ?? 'never') : 'never';
  }

  forget(): void {
    this.#forget(() => true);
  }

  #forget(which: (kind: RunKind) => boolean): void {
    for (const [key, { kind, run }] of this.#runs) {
      if (!which(kind)) continue;
      run[Symbol.dispose]();
      this.#runs.delete(key);
    }
  }

  [Symbol.dispose](): void {
    this.forget();
  }
}

/** A token that begins beside others is not what comes again and again. */
function kindOf({ tokens }: RunShape, first: number): RunKind {
  if (tokens > 1) return 'prompts';
  return first === 0 ? 'steps' : 'tokens beside';
}
