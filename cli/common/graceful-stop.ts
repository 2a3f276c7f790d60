import type { Argv } from 'yargs';
import { countFlag } from './flags.js';

const DEFAULT_GRACE_SECONDS = 20;

export function graceFlag<T>(parser: Argv<T>) {
  return parser.option(
    'grace',
    countFlag(
      'grace',
      'Queue:',
      `seconds after SIGTERM or Ctrl-C in which shards in hand may still be finished; the others are then given back [default: ${DEFAULT_GRACE_SECONDS}]`,
      0,
    ),
  );
}

export interface GracefulStop {
  /** Take nothing more. */
  readonly stopping: AbortSignal;
  /** Stop what is being done. */
  readonly now: AbortSignal;
}

/** What a command's signal means for work that comes in pieces. */
export function gracefulStop(signal: AbortSignal, graceSeconds = DEFAULT_GRACE_SECONDS): GracefulStop {
  const now = new AbortController();
  const stop = () => setTimeout(() => now.abort(signal.reason), 1000 * graceSeconds).unref();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return { stopping: signal, now: now.signal };
}
