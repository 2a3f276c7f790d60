import type { Blip2Error } from '../../errors.js';
import type { Tally } from '../run/tally.js';

/** Who hands out shards to this process: a queue that many share, or a program. */
export interface ShardGiver {
  /**
   * Waits for the next shard.
   * @returns undefined once no more will come
   */
  next(): Promise<HandedShard | undefined>;
}

/** A shard that this process has been given, and owes an answer for: one of the three. */
export interface HandedShard {
  readonly shard: number;
  /** @param tally what became of its pictures; null where it was finished before it was given */
  done(tally: Tally | null): Promise<void>;
  /** It could not be finished here, for this reason. */
  fail(error: Blip2Error): Promise<void>;
  /** It was not finished, through no fault of its own. */
  giveBack(): Promise<void>;
  /** Registers what is to be done once somebody else has been given the shard. */
  onLost(abandon: () => void): void;
}
