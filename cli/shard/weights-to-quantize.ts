/** Which weights of a checkpoint `--quant` stores in small integers. */
import { type Checkpoint, isFloatDtype } from '../../src/loader/index.js';
import { isRetrieval, parseModelConfig, type ModelConfig } from '../../src/model/blip2-config.js';
import { blip2Blocks } from '../../src/model/blocks.js';
import { quantizableWeights, type QuantizableWeight } from '../../src/model/quantizable-weights.js';
import { tokenTableName } from '../../src/runtime/graph/vocabulary.js';
import { quantizedHalf } from '../../src/tensor/quantized.js';
import { usageError } from '../common/main.js';
import { matchesGlob } from './shard-options.js';

export interface WeightOfBlock extends QuantizableWeight {
  /** null for a model whose blocks are not known. */
  readonly block: string | null;
  /** Whether the floats stay too: the token table is looked up in. */
  readonly keepsFloats: boolean;
}

/**
 * Of a BLIP-2 the linear layers of its language model and the head; of any other model the matrices of floats, which the
 * caller has to name.
 */
export function quantizableWeightsOf({ config, tensors }: Checkpoint): WeightOfBlock[] {
  const model = blip2Config(config);
  if (model === null) {
    return [...tensors]
      .filter(([name, { dtype, shape }]) => shape.length === 2 && isFloatDtype(dtype) && name.endsWith('.weight'))
      .map(([name]) => ({ name, source: name, block: null, keepsFloats: false }));
  }
  if (isRetrieval(model)) return [];
  const table = tokenTableName(model.text, tensors);
  return blip2Blocks(model).flatMap((block) =>
    quantizableWeights(block, model, tensors, table)
      .filter(({ source }) => tensors.has(source))
      .map((weight) => ({ ...weight, block: block.name, keepsFloats: weight.source === table })),
  );
}

/** @throws Blip2Error `USAGE` where a pattern matches none, or there is none. */
export function weightsToQuantize(checkpoint: Checkpoint, only: readonly string[] | undefined): WeightOfBlock[] {
  const weights = quantizableWeightsOf(checkpoint);
  if (only === undefined) {
    if (weights.length > 0 && weights.every(({ block }) => block !== null)) return weights;
    if ([...checkpoint.tensors.keys()].some((name) => quantizedHalf(name, checkpoint.tensors) !== null)) {
      throw usageError('the weights of this checkpoint are quantised already', 'Convert the checkpoint with floats.');
    }
    throw usageError('--quant does not know which weights of this model are linear layers', 'Name them with --only.');
  }
  const matching = (pattern: string) => weights.filter(({ name }) => matchesGlob(pattern, name));
  const unused = only.find((pattern) => matching(pattern).length === 0);
  if (unused !== undefined) {
    throw usageError(
      `--only "${unused}" matches no weight that can be quantised`,
      'Of BLIP-2 the linear layers of the language model can, such as *.layers.0.fc1.weight, and language_model.lm_head.weight.',
    );
  }
  return [...new Set(only.flatMap(matching))];
}

/** null for any other model, and for a config.json that does not describe a BLIP-2 as it should. */
function blip2Config(config: unknown): ModelConfig | null {
  try {
    return parseModelConfig(config);
  } catch {
    return null;
  }
}
