/** Further threads for a job that the first thread could do alone: where one cannot start, or fails, it does. */
import { Worker } from 'node:worker_threads';
import type { FileLayout } from './file-layout.js';
import type { ShardTensor } from './shard-tensor.js';
import type { QueueMemory, StretchQueue } from './stretch-queue.js';

/** What a thread is given. */
export interface ThreadData {
  /** Of the new file: descriptors belong to the process. */
  readonly fd: number;
  readonly layout: FileLayout;
  readonly tensors: ReadonlyMap<string, ShardTensor>;
  readonly stretchBytes: number;
  readonly memory: QueueMemory;
  /** See `StretchSums`; null where nothing is summed. */
  readonly sums: SharedArrayBuffer | null;
  readonly thread: number;
}

export class ShardThreads {
  readonly #ended: Promise<unknown>[];
  readonly #left: number[] = [];

  /** @param threads all of the job; the first one is the caller */
  constructor(queue: StretchQueue, threads: number, data: Omit<ThreadData, 'memory' | 'thread'>) {
    this.#ended = Array.from({ length: threads - 1 }, async (_, i) => {
      const workerData: ThreadData = { ...data, memory: queue.memory, thread: i + 1 };
      const worker = startWorker(workerData);
      if (worker === null) return;
      worker.on('error', () => undefined);
      // Not `once` of node:events, which rejects at the error before the exit.
      await new Promise((resolve) => worker.on('exit', resolve));
      const stretch = queue.inHand(i + 1);
      if (stretch !== null) this.#left.push(stretch);
    });
  }

  /** A stretch that a thread has left for somebody else, undefined where there is none so far. */
  takeLeft(): number | undefined {
    return this.#left.shift();
  }

  /** Resolves when all have ended. Until then the new file may not be closed. */
  async end(): Promise<void> {
    await Promise.all(this.#ended);
  }
}

/** null where the system gives no further thread. */
function startWorker(workerData: ThreadData): Worker | null {
  try {
    // Flags of this process, such as --input-type, may be of no use to a thread or stop it.
    return new Worker(new URL('./shard-thread.js', import.meta.url), { workerData, execArgv: [] });
  } catch {
    return null;
  }
}
