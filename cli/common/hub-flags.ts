import type { OpenOptions } from '../../src/loader/index.js';
import { seconds } from './seconds.js';
import { type ArgsOf, textFlag } from './flags.js';

/** How models on the hub are asked for, by every command that reads one. */
export const HUB_FLAGS = {
  revision: textFlag('Hub:', 'branch, tag or commit of a model on the hub [default: main]'),
  'hub-timeout': {
    ...textFlag('Hub:', 'seconds of silence after which a request is tried again, 5 times in all [default: 10]'),
    coerce: seconds('hub-timeout', 86_400),
  },
} as const;

export interface HubArgs extends ArgsOf<typeof HUB_FLAGS> {
  readonly quiet?: boolean | undefined;
}

export function hubOptions({ revision, quiet, ...args }: HubArgs, signal?: AbortSignal): OpenOptions {
  const timeoutSeconds = args['hub-timeout'];
  return {
    ...(revision === undefined ? {} : { revision }),
    ...(timeoutSeconds === undefined ? {} : { timeoutMs: 1000 * timeoutSeconds }),
    ...(quiet === true ? {} : { onWait: (what: string) => void process.stderr.write(`${what}\n`) }),
    ...(signal === undefined ? {} : { signal }),
  };
}
