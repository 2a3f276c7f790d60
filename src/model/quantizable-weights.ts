/**
 * Which weights may be quantised: the linear layers of the language model and its head, which decoding reads once per
 * token. Tables, norms, biases, the vision model and the Q-Former keep their floats: they run once per picture.
 */
import { storedScheme } from '../tensor/quantized.js';
import type { TensorInfo } from '../tensor/tensor-info.js';
import { isRetrieval, type ModelConfig } from './blip2-config.js';
import type { Block, BlockKind } from './blocks.js';

const QUANTIZABLE: ReadonlySet<BlockKind> = new Set<BlockKind>([
  'opt-project-in',
  'opt-layer',
  'opt-project-out',
  't5-encoder-layer',
  't5-decoder-layer',
  'llama-layer',
  'head',
]);

export interface QuantizableWeight {
  /** Under whose name the quantised weight is stored. */
  readonly name: string;
  /** The tensor that holds its floats: another one where the head shares the token table. */
  readonly source: string;
}

/**
 * The weights of `block` that may be quantised, empty where it keeps its floats or the checkpoint holds a quantised head.
 * @param tensors what the checkpoint holds
 * @param table the tensor that holds the token table
 */
export function quantizableWeights(
  block: Block,
  config: ModelConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
  table: string,
): QuantizableWeight[] {
  if (isRetrieval(config) || !QUANTIZABLE.has(block.kind)) return [];
  if (block.kind === 'head') {
    const name = `${block.name}.weight`;
    if (storedScheme(tensors, name) !== null) return [];
    return [{ name, source: tensors.has(name) ? name : table }];
  }
  return [...tensors]
    .filter(([name, { shape }]) => name.startsWith(`${block.name}.`) && isLinear(name, shape))
    .map(([name]) => ({ name, source: name }));
}

/** T5's table of relative positions is looked up, not multiplied. */
function isLinear(name: string, shape: readonly number[]): boolean {
  return shape.length === 2 && name.endsWith('.weight') && !name.endsWith('relative_attention_bias.weight');
}
