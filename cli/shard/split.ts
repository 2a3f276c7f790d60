import { parseSize } from '../../src/planner/index.js';
import {
  type Checkpoint,
  nameShards,
  quantizedTensors,
  type ShardTensor,
  splitByDevice,
  splitBySize,
} from '../../src/loader/index.js';
import { tensorBytes } from '../../src/tensor/tensor-info.js';
import { command } from '../common/command.js';
import { usageError } from '../common/main.js';
import { listed } from '../common/listed.js';
import { readMap } from '../common/read-map.js';
import { stemOf } from '../../src/loader/shard/shard-plan.js';
import { writtenInfo } from '../../src/loader/write/shard-tensor.js';
import { plainText } from '../common/flags.js';
import { statingDtype } from './config-dtype.js';
import { placeByPlan, type TensorPlacement } from './place-by-plan.js';
import { quantizableWeightsOf } from './weights-to-quantize.js';
import { openToCopy } from '../common/open-source.js';
import { runJob } from './run-job.js';
import { writerParser } from './shard-options.js';

const parser = writerParser(
  'split',
  'Writes the checkpoint in shards: by size, as huggingface_hub splits; or by device, each in the dtype that the plan gives it.',
)
  .option('max-shard-size', plainText('bytes of tensors in a shard, such as 2GiB or 5GB'))
  .option('plan', plainText('a device map, or a plan of blip2-plan --format json; - for stdin'))
  .example('$0 ckpt out --max-shard-size 2GiB', 'by size')
  .example('$0 ckpt out --plan map.json', 'a set of files for each device');

export const split = command(parser, [], async (args, { signal }) => {
  const maxShardBytes = args['max-shard-size'] === undefined ? undefined : parseSize(args['max-shard-size']);
  if (maxShardBytes === undefined && args.plan === undefined) {
    throw usageError('say how to split', 'For example: --max-shard-size 2GiB, or --plan map.json.');
  }
  if (maxShardBytes === 0) throw usageError('--max-shard-size takes at least one byte');
  const source = await openToCopy(args.checkpoint, args, signal);
  const placement = args.plan === undefined ? null : placeByPlan(await readMap(args.plan), source);
  if (placement !== null && placement.strayKeys.length > 0 && args.quiet !== true)
    process.stderr.write(`note: no tensor's name has ${listed(placement.strayKeys)} in it, so that moves nothing\n`);
  const tensors = placement === null ? unchanged(source) : placedTensors(source, placement);
  const sizes = new Map([...tensors].map(([name, tensor]) => [name, tensorBytes(writtenInfo(tensor))]));
  const stem = stemOf(source.files);
  const shards =
    placement === null
      ? nameShards(splitBySize(sizes, maxShardBytes ?? Number.POSITIVE_INFINITY), stem)
      : splitByDevice(sizes, placement.deviceOf, maxShardBytes, stem);
  const dtype = placement?.dtype ?? null;
  const job = { source, shards, tensors };
  return runJob(dtype === null ? job : statingDtype(job, dtype, args.quiet), args.out, args, signal);
});

function unchanged({ tensors }: Checkpoint): Map<string, ShardTensor> {
  return new Map([...tensors].map(([name, source]) => [name, { source, dtype: source.dtype }]));
}

/** Every tensor in the dtype that the plan gives it, the weights of its quantised blocks in small integers. */
function placedTensors(source: Checkpoint, { dtypeOf, quant }: TensorPlacement): Map<string, ShardTensor> {
  const weights = quant.size === 0 ? [] : quantizableWeightsOf(source);
  const planned = new Map(
    weights.flatMap((weight) => {
      const scheme = quant.get(weight.block ?? '');
      return scheme === undefined ? [] : [[weight.source, { ...weight, scheme }] as const];
    }),
  );
  const tensors = new Map<string, ShardTensor>();
  for (const [name, stored] of source.tensors) {
    const weight = planned.get(name);
    if (weight === undefined || weight.keepsFloats)
      tensors.set(name, { source: stored, dtype: dtypeOf(name, stored.dtype) });
    if (weight === undefined) continue;
    for (const [half, tensor] of quantizedTensors(weight.name, stored, weight.scheme)) tensors.set(half, tensor);
  }
  return tensors;
}
