/** How much time a measurement may take. */
export interface Effort {
  /** Of the largest copies. */
  readonly copiedBytes: number;
  /** For each thing that is timed, at least `fewestCalls` of it. */
  readonly budgetMs: number;
  readonly fewestCalls: number;
  /** Whether what hardly differs between cards, or follows from the rest, is measured as well. */
  readonly isComplete: boolean;
}

export const THOROUGH: Effort = { copiedBytes: 256 * 2 ** 20, budgetMs: 300, fewestCalls: 5, isComplete: true };

/** How far off plans with what was measured in a blink may be. */
export const BLINK_ERROR = 1.25;

/**
 * The same of a host that works beside a card: a plan of 4 GiB with 13 layers of the language model on it took 1,104 ms where 893 were predicted, which
 * is 1.3 to 1.6 times the host's part, and one by a full calibration 878 (bench/gpu, one H200).
 */
export const BLINK_ERROR_BESIDE = 1.5;

/** What decides plans, in less than half a second. */
export const BLINK: Effort = { copiedBytes: 32 * 2 ** 20, budgetMs: 0, fewestCalls: 3, isComplete: false };

/** Milliseconds of one call, the median of as many as fit into `budgetMs`, `fewest` at least, after one that warms up. */
export async function medianMs(budgetMs: number, call: () => unknown, fewest = FEWEST_CALLS): Promise<number> {
  await call();
  const times: number[] = [];
  const end = performance.now() + budgetMs;
  while (times.length < fewest || performance.now() < end) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}

const FEWEST_CALLS = 5;
