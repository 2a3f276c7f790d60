import { setImmediate } from 'node:timers/promises';

/** A turn of the event loop that has nothing to do takes less, and one that has comes back within so many. */
const [QUIET_MS, MOST_TURNS] = [0.2, 2000];

/**
 * Connections that wait to be accepted are reset when a server stops listening: it is to be right after a turn of the event
 * loop that accepted those that had come, and did nothing else for long.
 */
export async function quietTurn(): Promise<void> {
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const beganMs = performance.now();
    await setImmediate();
    if (performance.now() - beganMs < QUIET_MS) return;
  }
}
