import { existsSync } from 'node:fs';
import { isRepositoryName } from '../../src/loader/hub/hub-settings.js';
import { openForRepair } from '../../src/loader/index.js';
import { command } from '../common/command.js';
import { usageError } from '../common/main.js';
import { runJob } from './run-job.js';
import { writerParser } from './shard-options.js';
import { transformJob } from './transform.js';

const parser = writerParser(
  'repair',
  'Writes a checkpoint that readers refuse anew, where no tensor is in doubt: trailing bytes, gaps, white space before the header, duplicate keys, an index that does not fit or is lost.',
)
  .example('$0 ckpt out --dry-run', 'what would be written')
  .example('$0 ckpt out', 'blip2-shard verify says what was wrong');

export const repair = command(parser, [], async (args, { signal }) => {
  if (isRepositoryName(args.checkpoint) && !existsSync(args.checkpoint))
    throw usageError(
      `repair reads files on this machine, and there is no ${args.checkpoint}`,
      'Download the model, and name its folder.',
    );
  const source = await openForRepair(args.checkpoint);
  return runJob(
    transformJob(source, (name, tensor) => [[name, tensor]]),
    args.out,
    args,
    signal,
  );
});
