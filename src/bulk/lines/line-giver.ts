import { resolve } from 'node:path';
import { Blip2Error } from '../../errors.js';
import { exists } from '../../loader/file/exists.js';
import { replaceFile } from '../../loader/write/replace-file.js';
import type { CaptionRecord } from '../caption-record.js';
import { ShardJob } from '../run/shard-job.js';
import type { Tally } from '../run/tally.js';
import type { HandedShard, ShardGiver } from '../work/shard-giver.js';
import { parseShardLine, type DescribedShard, type ShardAnswer } from './shard-lines.js';

export interface LineGiverOptions {
  /** A shard per line; empty lines are passed over. */
  readonly lines: AsyncIterable<string>;
  readonly answer: (answer: ShardAnswer) => Promise<void>;
  /** Once aborted, no line is waited for. */
  readonly stopping: AbortSignal;
}

interface Given {
  readonly described: DescribedShard;
  job?: ShardJob;
}

/** Takes shards from the lines of another program, and answers in the order in which they are finished. */
export class LineGiver implements ShardGiver {
  readonly #options: LineGiverOptions;
  readonly #lines: AsyncIterator<string>;
  readonly #given = new Map<number, Given>();
  readonly #stopped: Promise<null>;
  #line = 0;
  #refused = 0;

  constructor(options: LineGiverOptions) {
    this.#options = options;
    this.#lines = options.lines[Symbol.asyncIterator]();
    const { stopping } = options;
    this.#stopped = new Promise((stop) => {
      if (stopping.aborted) stop(null);
      else stopping.addEventListener('abort', () => stop(null), { once: true });
    });
  }

  /** Lines that described no shard. */
  get refused(): number {
    return this.#refused;
  }

  async next(): Promise<HandedShard | undefined> {
    for (;;) {
      const next = await Promise.race([this.#lines.next(), this.#stopped]);
      if (next === null || next.done === true) return undefined;
      this.#line += 1;
      if (next.value.trim() === '') continue;
      try {
        const described = parseShardLine(next.value);
        this.#refuseSharedFile(described);
        return this.#handed(this.#line, described);
      } catch (error) {
        if (!(error instanceof Blip2Error)) throw error;
        this.#refused += 1;
        const { code, message } = error;
        await this.#options.answer({ id: null, status: 'refused', line: this.#line, error: { code, message } });
      }
    }
  }

  /** @returns null where the file that it is to be written into is there */
  async open({ shard }: HandedShard): Promise<ShardJob | null> {
    const given = this.#find(shard);
    const { pictures, first, out } = given.described;
    if (out !== null && (await exists(out))) return null;
    given.job = await ShardJob.open({ shard, first, pictures });
    return given.job;
  }

  async write({ shard, records }: ShardJob): Promise<readonly CaptionRecord[]> {
    const { out } = this.#find(shard).described;
    if (out === null) return records;
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    await replaceFile(out, (handle) => handle.writeFile(text));
    return records;
  }

  /** Of two that are in hand at the same time, both would be said to be written, and one would be lost. */
  #refuseSharedFile({ out }: DescribedShard): void {
    if (out === null) return;
    for (const [line, { described }] of this.#given) {
      if (described.out === null || resolve(described.out) !== resolve(out)) continue;
      throw new Blip2Error('SHARD_INVALID', `${out} is being made for line ${line}`, {
        hint: 'Give each shard a file of its own, and a line again once it is answered.',
      });
    }
  }

  #handed(shard: number, described: DescribedShard): HandedShard {
    const { id, out } = described;
    const startedMs = performance.now();
    this.#given.set(shard, { described });
    const answer = async (text: ShardAnswer) => {
      this.#given.delete(shard);
      await this.#options.answer(text);
    };
    return {
      shard,
      done: (tally: Tally | null) => {
        if (tally === null) return answer({ id, status: 'exists', out: out ?? '' });
        const { captioned, failed } = tally;
        const counts = { captioned, failed, seconds: (performance.now() - startedMs) / 1000 };
        return answer(
          out === null
            ? { id, status: 'done', ...counts, records: this.#find(shard).job?.records ?? [] }
            : { id, status: 'written', ...counts, out },
        );
      },
      fail: ({ code, message }) => answer({ id, status: 'failed', error: { code, message } }),
      giveBack: () => answer({ id, status: 'returned' }),
      // Whoever hands out lines takes none away.
      onLost: () => undefined,
    };
  }

  #find(shard: number): Given {
    const given = this.#given.get(shard);
    if (given === undefined) throw new RangeError(`shard ${shard} is in nobody's hand`);
    return given;
  }
}
