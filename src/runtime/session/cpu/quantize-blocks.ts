import { Blip2Error } from '../../../errors.js';
import type { Checkpoint } from '../../../loader/checkpoint/checkpoint.js';
import { quantizeCheckpoint } from '../../../loader/index.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import { quantizableWeights } from '../../../model/quantizable-weights.js';
import { defaultCacheFolder } from '../../device/cache-folder.js';
import type { DeviceOptions } from '../../device/device-options.js';
import { tokenTableName } from '../../graph/vocabulary.js';

/**
 * The checkpoint with the blocks of `quant` in small integers. What it holds so already stays as it is.
 * @throws Blip2Error `QUANT_BLOCK_UNKNOWN` for what is not a block of this model; what `quantizeCheckpoint` throws
 */
export async function quantizeBlocks(
  config: Blip2Config,
  checkpoint: Checkpoint,
  { quant = new Map(), cacheFolder = defaultCacheFolder(), signal, onConvert }: DeviceOptions,
): Promise<Checkpoint> {
  const blocks = new Map(blip2Blocks(config).map((block) => [block.name, block]));
  const table = tokenTableName(config.text, checkpoint.tensors);
  const weights = [...quant].flatMap(([name, scheme]) => {
    const block = blocks.get(name);
    if (block === undefined) throw unknownBlock(name);
    return quantizableWeights(block, config, checkpoint.tensors, table).map((weight) => ({ ...weight, scheme }));
  });
  const quantized = await quantizeCheckpoint(checkpoint, weights, cacheFolder, {
    ...(signal === undefined ? {} : { signal }),
    ...(onConvert === undefined ? {} : { onProgress: onConvert }),
  });
  // A head that is the token table too keeps its floats for looking tokens up.
  const floats = checkpoint.tensors.get(table);
  return floats === undefined ? quantized : { ...quantized, tensors: new Map(quantized.tensors).set(table, floats) };
}

function unknownBlock(name: string): Blip2Error {
  return new Blip2Error(
    'QUANT_BLOCK_UNKNOWN',
    `${JSON.stringify(name)} is to be quantised and is no block of this model`,
    {
      hint: 'Name blocks as a plan does, such as language_model.model.decoder.layers.0 or language_model.lm_head.',
      details: { block: name },
    },
  );
}
