/** Milliseconds of one call, the median of as many as fit into `budgetMs`, five at least, after one that warms up. */
export async function medianMs(budgetMs: number, call: () => unknown): Promise<number> {
  await call();
  const times: number[] = [];
  const end = performance.now() + budgetMs;
  while (times.length < FEWEST_CALLS || performance.now() < end) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}

const FEWEST_CALLS = 5;
