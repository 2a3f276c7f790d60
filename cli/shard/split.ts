import { readFile } from 'node:fs/promises';
import { nameShards, splitByDevice, splitBySize } from '../../src/loader/shard/shard-plan.js';
import { parseSize } from '../../src/planner/size.js';
import { tensorBytes } from '../../src/tensor/tensor-info.js';
import { EXIT, usageError, type CommandContext } from '../common/main.js';
import { createParser, parseArgs } from '../common/parser.js';
import { placeByPlan } from './place-by-plan.js';
import { openSource } from '../common/open-source.js';
import { runJob } from './run-job.js';
import { fromCheckpointTo, writeFlags } from './shard-options.js';

const parser = writeFlags(
  fromCheckpointTo(
    createParser(
      'blip2-shard split',
      '$0 <checkpoint> <out>',
      'Writes the checkpoint in shards: by size, as huggingface_hub splits; or by device, each in the dtype that the plan gives it.',
    ),
  ),
)
  .option('max-shard-size', { type: 'string', nargs: 1, describe: 'bytes of tensors in a shard, such as 2GiB or 5GB' })
  .option('plan', { type: 'string', nargs: 1, describe: 'a device map, or a plan of blip2-plan --format json' })
  .example('$0 ckpt out --max-shard-size 2GiB', '')
  .example('$0 ckpt out --plan map.json', '');

export async function split({ argv, signal }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv);
  if (args === null) return EXIT.ok;
  const { checkpoint: where, out } = args;
  const maxShardBytes = args['max-shard-size'] === undefined ? undefined : parseSize(args['max-shard-size']);
  if (maxShardBytes === undefined && args.plan === undefined) {
    throw usageError('say how to split', 'For example: --max-shard-size 2GiB, or --plan map.json.');
  }
  if (maxShardBytes === 0) throw usageError('--max-shard-size takes at least one byte');
  const source = await openSource(where, args, signal);
  const placement = args.plan === undefined ? null : placeByPlan(await readJson(args.plan), source);
  const tensors = new Map(
    [...source.tensors].map(([name, stored]) => [
      name,
      { source: stored, dtype: placement?.dtypeOf(name, stored.dtype) ?? stored.dtype },
    ]),
  );
  const sizes = new Map([...tensors].map(([name, { source: stored, dtype }]) => [name, tensorBytes(stored, dtype)]));
  const shards =
    placement === null
      ? nameShards(splitBySize(sizes, maxShardBytes ?? Number.POSITIVE_INFINITY))
      : splitByDevice(sizes, placement.deviceOf, maxShardBytes);
  return runJob({ source, shards, tensors }, out, args, signal);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    throw usageError(`${path} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
