import type { Argv } from 'yargs';
import { checkQueueUrl } from '../../src/bulk/queue/queue-connection.js';
import { usageError } from '../common/main.js';
import { textFlag } from '../common/flags.js';

/** Holds the address where it has a password: others on the machine see command lines. */
const VARIABLE = 'BLIP2_QUEUE';

/** Flags of which run in which queue. */
export function queueFlags<T>(parser: Argv<T>) {
  return parser.option(
    'queue',
    textFlag(
      'Queue:',
      `Redis or Valkey server: redis://[:password@]host[:port][/db], rediss:// for TLS [default: ${VARIABLE} of the environment]`,
    ),
  );
}

/** The folder of the run, for commands that take no other flag of runs. */
export function outFlag<T>(parser: Argv<T>) {
  return parser.option('out', {
    ...textFlag(
      'Queue:',
      'folder or s3://bucket/prefix that the captions are written into, as blip2-run queue add was given',
    ),
    demandOption: true,
  });
}

/** @throws Blip2Error `USAGE`, `QUEUE_INVALID` */
export function readQueueUrl(flag: string | undefined): string {
  const url = flag ?? process.env[VARIABLE];
  if (url !== undefined && url !== '') return checkQueueUrl(url);
  throw usageError('no queue given', `Such as --queue redis://localhost, or ${VARIABLE} in the environment.`);
}
