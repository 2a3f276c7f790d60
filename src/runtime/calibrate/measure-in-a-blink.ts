import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BlinkAnswer, BlinkRequest } from './blink-process.js';

/** A driver that has to be read from a slow disk takes six seconds; beyond this the table is as good. */
const LONGEST_MS = 15_000;

export type BlinkMeasurement = Exclude<BlinkAnswer, { readonly failure: string }>;

/** @throws Error where something fails, or takes too long */
export async function measureInABlink(request: BlinkRequest, longestMs = LONGEST_MS): Promise<BlinkMeasurement> {
  const child = fork(fileURLToPath(new URL('./blink-process.js', import.meta.url)), {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new Error(`it took longer than ${longestMs / 1000} s`)), longestMs);
  try {
    child.send(request);
    const { signal } = stop;
    const ended = once(child, 'exit', { signal }).then(([code, by]) => {
      throw new Error(`its process ended with ${by ?? `exit code ${code}`}`);
    });
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended]).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error;
    })) as [BlinkAnswer];
    if ('failure' in answer) throw new Error(answer.failure);
    return answer;
  } finally {
    clearTimeout(timer);
    stop.abort();
    child.kill('SIGKILL');
  }
}
