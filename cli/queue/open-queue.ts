import { RunQueue } from '../../src/bulk/queue/run-queue.js';
import type { RunFolder } from '../../src/bulk/run/run-folder.js';
import { createParser, parseArgs } from '../common/parser.js';
import { writeOut } from '../common/write-out.js';
import { outFlag, queueFlags, readQueueUrl } from './queue-flags.js';
import { queuedRun } from './queued-run.js';
import { switchFlag } from '../common/flags.js';

export interface OpenedQueue extends AsyncDisposable {
  readonly queue: RunQueue;
  readonly folder: RunFolder;
  /** Writes what a command has to say, for programs where `--json` asks for it. */
  readonly answer: (json: object, text: string) => Promise<void>;
}

/** The queue of a command that takes nothing but its run. @returns null where help was asked for */
export async function openQueue(name: string, describe: string, argv: readonly string[]): Promise<OpenedQueue | null> {
  const parser = outFlag(queueFlags(createParser(name, '$0', describe)))
    .option('json', switchFlag('Output:', 'the answer, and errors, as JSON'))
    .example('$0 --out /data/captions --queue redis://head', 'the run of that folder')
    .example('$0 --out s3://bucket/captions --json', 'in a bucket, for programs; the queue is BLIP2_QUEUE');
  const args = await parseArgs(parser, argv);
  if (args === null) return null;
  const url = readQueueUrl(args.queue);
  const { id, folder } = await queuedRun(args.out);
  const queue = await RunQueue.open({ url, id });
  return {
    queue,
    folder,
    answer: (json, text) => writeOut(args.json === true ? `${JSON.stringify(json)}\n` : `${text}\n`),
    [Symbol.asyncDispose]: async () => {
      await queue[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
