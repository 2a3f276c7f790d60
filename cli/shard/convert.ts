import { isFloatDtype, quantizedTensors, type ShardTensor } from '../../src/loader/index.js';
import { packedParts } from '../../src/tensor/packed-weights.js';
import { QUANT_SCHEMES } from '../../src/tensor/quantized.js';
import { command } from '../common/command.js';
import { listed } from '../common/listed.js';
import { usageError } from '../common/main.js';
import { openToCopy } from '../common/open-source.js';
import { plainText, plainList } from '../common/flags.js';
import { statingDtype } from './config-dtype.js';
import { runJob } from './run-job.js';
import { matchesGlob, parseDtype, requireMatches, writerParser } from './shard-options.js';
import { transformJob } from './transform.js';
import { weightsToQuantize } from './weights-to-quantize.js';

const parser = writerParser(
  'convert',
  'Converts float32, float16 and bfloat16 tensors, rounding to nearest even as PyTorch does, or stores linear layers as small integers for blip2-run. Other dtypes stay.',
)
  .option('dtype', plainText('float32, float16 or bfloat16'))
  .option('keep-fp32', plainList('names that stay or become float32, * for any characters; repeatable'))
  .option('quant', {
    choices: QUANT_SCHEMES,
    nargs: 1,
    describe: 'weights as int8 or int4 in blocks: the linear layers of the language model and its head',
  })
  .option('only', plainList('with --quant: names of the weights, * for any characters; repeatable'))
  .example(
    "$0 ckpt out --dtype float16 --keep-fp32 'qformer.*' --keep-fp32 query_tokens",
    'what transformers keeps in float32',
  )
  .example('$0 ckpt out --quant int8', 'half the bytes of float16, for blip2-run')
  .example("$0 ckpt out --quant int4 --only '*.fc?.weight' --dtype float16", 'the rest in float16');

export const convert = command(parser, ['keep-fp32', 'keepFp32', 'only'], async (args, { signal }) => {
  const { quant } = args;
  if (args.dtype === undefined && quant === undefined)
    throw usageError('say which --dtype, or --quant', 'For example: --dtype float16.');
  if (args.only !== undefined && quant === undefined) throw usageError('--only needs --quant');
  const target = args.dtype === undefined ? null : parseDtype(args.dtype);
  const kept = args['keep-fp32'] ?? [];
  if (kept.length > 0 && target === null) throw usageError('--keep-fp32 needs --dtype');
  const source = await openToCopy(args.checkpoint, args, signal);
  requireMatches('keep-fp32', kept, source.tensors.keys());
  const weights = quant === undefined ? [] : weightsToQuantize(source, args.only);
  const quantized = new Map(weights.map((weight) => [weight.source, weight]));
  // The scales of weights that are quantised already belong to their integers.
  const isPacked = packedParts(source.tensors);
  const converted = (name: string, tensor: ShardTensor): ShardTensor => {
    if (target === null || !isFloatDtype(tensor.dtype) || isPacked(name)) return tensor;
    const dtype = kept.some((pattern) => matchesGlob(pattern, name)) ? 'F32' : target;
    return { source: tensor.source, dtype };
  };
  const left = [...source.tensors].filter(
    ([name, { dtype }]) => isFloatDtype(dtype) && dtype !== target && isPacked(name),
  );
  if (target !== null && left.length > 0 && args.quiet !== true)
    process.stderr.write(
      `note: left as stored, for packed weights are read with them: ${listed(left.map(([name]) => name))}\n`,
    );
  const job = transformJob(source, (name, tensor) => {
    const weight = quantized.get(name);
    if (weight === undefined || quant === undefined) return [[name, converted(name, tensor)]];
    const floats = weight.keepsFloats ? [[name, converted(name, tensor)] as const] : [];
    return [...floats, ...quantizedTensors(weight.name, tensor.source, quant)];
  });
  return runJob(target === null ? job : statingDtype(job, target, args.quiet), args.out, args, signal);
});
