import { isFloatDtype } from '../../src/loader/convert/convert-floats.js';
import { EXIT, usageError, type CommandContext } from '../common/main.js';
import { createParser, parseArgs } from '../common/parser.js';
import { openSource } from '../common/open-source.js';
import { runJob } from './run-job.js';
import { matchesGlob, parseDtype, fromCheckpointTo, requireMatches, writeFlags } from './shard-options.js';
import { transformJob } from './transform.js';

const parser = writeFlags(
  fromCheckpointTo(
    createParser(
      'blip2-shard convert',
      '$0 <checkpoint> <out>',
      'Converts float32, float16 and bfloat16 tensors, rounding to nearest even as PyTorch does. Other dtypes stay.',
    ),
  ),
)
  .option('dtype', { type: 'string', nargs: 1, describe: 'float32, float16 or bfloat16' })
  .option('keep-fp32', {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'names that stay or become float32, * for any characters; repeatable',
  })
  .example(
    "$0 ckpt out --dtype float16 --keep-fp32 'qformer.*' --keep-fp32 query_tokens",
    'what transformers keeps in float32',
  );

export async function convert({ argv, signal }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv, ['keep-fp32', 'keepFp32']);
  if (args === null) return EXIT.ok;
  const { checkpoint: where, out } = args;
  if (args.dtype === undefined) throw usageError('say which --dtype', 'For example: --dtype float16.');
  const target = parseDtype(args.dtype);
  const kept = args['keep-fp32'] ?? [];
  const source = await openSource(where, args, signal);
  requireMatches('keep-fp32', kept, source.tensors.keys());
  const job = transformJob(source, (name, tensor) => {
    if (!isFloatDtype(tensor.dtype)) return { name, tensor };
    const dtype = kept.some((pattern) => matchesGlob(pattern, name)) ? 'F32' : target;
    return { name, tensor: { source: tensor.source, dtype } };
  });
  return runJob(job, out, args, signal);
}
