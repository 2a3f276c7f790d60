import type { FinishedTask } from './run-queue.js';

/** Results before this time say nothing about the rate now. */
const WINDOW_MS = 10 * 60_000;

export interface WorkerRate {
  readonly worker: string;
  readonly shards: number;
  readonly pictures: number;
  readonly lastSecondsAgo: number;
}

export interface Rates {
  /** null where too few shards were finished lately. */
  readonly picturesPerSecond: number | null;
  readonly workers: readonly WorkerRate[];
}

/**
 * How fast a run goes by the shards that were finished lately.
 * @param finished any order
 */
export function queueRates(finished: readonly FinishedTask[], nowMs: number): Rates {
  const lately = finished.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS).toSorted((a, b) => a.atMs - b.atMs);
  const [first] = lately;
  // From the first one's beginning: with few shards, their ends alone would leave it out.
  const beganMs = Math.min(...lately.map(({ atMs, result }) => atMs - 1000 * result.seconds));
  const all = sum(lately.map(made));
  const seconds = first === undefined ? 0 : (nowMs - beganMs) / 1000;
  const byWorker = new Map<string, FinishedTask[]>();
  for (const task of lately) byWorker.set(task.result.worker, [...(byWorker.get(task.result.worker) ?? []), task]);
  return {
    picturesPerSecond: seconds > 0 && all > 0 ? all / seconds : null,
    workers: [...byWorker]
      .map(([worker, tasks]) => ({
        worker,
        shards: tasks.length,
        pictures: sum(tasks.map(made)),
        lastSecondsAgo: (nowMs - Math.max(...tasks.map(({ atMs }) => atMs))) / 1000,
      }))
      .toSorted((a, b) => b.pictures - a.pictures),
  };
}

const made = ({ result }: FinishedTask): number => result.captioned + result.failed + result.skipped;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
