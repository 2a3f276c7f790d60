/**
 * Which stretch is made by whom, in memory that all threads of a job share. No messages: a thread that ends, for whatever
 * reason, leaves behind which stretch it had in hand, and somebody else makes it.
 */
import { at } from '../../checked-access.js';

/** Structured clones share the memory. */
export interface QueueMemory {
  /** Int32: the next stretch, whether to stop, and for each thread the stretch in its hand. */
  readonly state: SharedArrayBuffer;
  /** Float64: bytes that each thread has written. */
  readonly written: SharedArrayBuffer;
  /** Int32: of each stretch, see `setOverflowed`. */
  readonly overflowed: SharedArrayBuffer;
  readonly stretches: number;
}

const NEXT = 0;
const STOP = 1;
const FIRST_HAND = 2;
const NOTHING = -1;

export class StretchQueue {
  readonly memory: QueueMemory;
  readonly #state: Int32Array;
  readonly #written: Float64Array;
  readonly #overflowed: Int32Array;
  readonly #count: number;

  constructor(memory: QueueMemory) {
    this.memory = memory;
    this.#state = new Int32Array(memory.state);
    this.#written = new Float64Array(memory.written);
    this.#overflowed = new Int32Array(memory.overflowed);
    this.#count = memory.stretches;
  }

  static create(stretches: number, threads: number): StretchQueue {
    const queue = new StretchQueue({
      state: new SharedArrayBuffer(4 * (FIRST_HAND + threads)),
      written: new SharedArrayBuffer(8 * threads),
      overflowed: new SharedArrayBuffer(4 * stretches),
      stretches,
    });
    queue.#state.fill(NOTHING, FIRST_HAND);
    return queue;
  }

  /** The next stretch that nobody has, null where there is none or the job was stopped. */
  take(): number | null {
    if (Atomics.load(this.#state, STOP) !== 0) return null;
    const next = Atomics.add(this.#state, NEXT, 1);
    return next < this.#count ? next : null;
  }

  /** As `take`, by a thread that may end at any time. */
  takeInHand(thread: number): number | null {
    const next = this.take();
    Atomics.store(this.#state, FIRST_HAND + thread, next ?? NOTHING);
    return next;
  }

  /** What a thread had in hand when it ended; null where it ended in order. */
  inHand(thread: number): number | null {
    const stretch = Atomics.load(this.#state, FIRST_HAND + thread);
    return stretch === NOTHING ? null : stretch;
  }

  /** After this nobody gets another stretch. */
  stop(): void {
    Atomics.store(this.#state, STOP, 1);
  }

  /** Values of a stretch that have become infinite: the same number, however often it is made. */
  setOverflowed(stretch: number, values: number): void {
    this.#overflowed[stretch] = values;
  }

  get overflowedValues(): number {
    return this.#overflowed.reduce((sum, values) => sum + values, 0);
  }

  addWritten(thread: number, bytes: number): void {
    this.#written[thread] = at(this.#written, thread) + bytes;
  }

  get writtenBytes(): number {
    return this.#written.reduce((sum, bytes) => sum + bytes, 0);
  }
}
