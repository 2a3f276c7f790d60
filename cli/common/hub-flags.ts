import type { OpenOptions } from '../../src/loader/index.js';
import { usageError } from './main.js';

const MAX_SECONDS = 86_400;

/** How models on the hub are asked for, by every command that reads one. */
export const HUB_FLAGS = {
  revision: {
    type: 'string',
    nargs: 1,
    group: 'Hub:',
    describe: 'branch, tag or commit of a model on the hub [default: main]',
  },
  'hub-timeout': {
    type: 'string',
    nargs: 1,
    group: 'Hub:',
    coerce: timeoutSeconds,
    describe: 'seconds of silence after which a request is tried again, 5 times in all [default: 10]',
  },
} as const;

export interface HubArgs {
  readonly revision?: string | undefined;
  readonly 'hub-timeout'?: number | undefined;
  readonly quiet?: boolean | undefined;
}

export function hubOptions({ revision, quiet, ...args }: HubArgs, signal?: AbortSignal): OpenOptions {
  const seconds = args['hub-timeout'];
  return {
    ...(revision === undefined ? {} : { revision }),
    ...(seconds === undefined ? {} : { timeoutMs: 1000 * seconds }),
    ...(quiet === true ? {} : { onWait: (what: string) => void process.stderr.write(`${what}\n`) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function timeoutSeconds(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const seconds = typeof value === 'string' ? Number(value) : Number.NaN;
  if (seconds > 0 && seconds <= MAX_SECONDS) return seconds;
  throw usageError(`--hub-timeout takes seconds, above 0 and at most ${MAX_SECONDS}, not ${JSON.stringify(value)}`);
}
