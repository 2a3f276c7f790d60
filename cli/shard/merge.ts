import { Blip2Error } from '../../src/planner/index.js';
import { command } from '../common/command.js';
import { openToCopy } from '../common/open-source.js';
import { runJob } from './run-job.js';
import { writerParser } from './shard-options.js';
import { transformJob } from './transform.js';

const parser = writerParser('merge', 'Writes all tensors into one model.safetensors.')
  .example('$0 ckpt out', 'writes out/model.safetensors, and the files beside it')
  .example('$0 ckpt out --align 8', 'the bytes that Python writes');

export const merge = command(parser, [], async (args, { signal }) => {
  const source = await openToCopy(args.checkpoint, args, signal);
  const gap = source.warnings.find(({ code }) => code === 'SHARD_NUMBERING_GAP');
  if (gap !== undefined) {
    throw new Blip2Error('MISSING_SHARD', `${gap.message} A merged file would lack their tensors.`, {
      hint: 'Download the other shards, and their index.',
    });
  }
  return runJob(
    transformJob(source, (name, tensor) => [[name, tensor]], true),
    args.out,
    args,
    signal,
  );
});
