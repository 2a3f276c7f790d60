/** Bytes, elements and widths of a block's tensors. */
import { elementCount, type TensorInfo, type TensorTable } from '../../../tensor/tensor-info.js';
import { numberOf, textConfig, type AnyConfig } from '../../models/model-config.js';
import { parentOf } from '../../map/module-paths.js';
import type { BlockWidths } from './activations.js';
import { EXPERTS } from './experts.js';
import { loadedBytes, type DtypeRules } from '../loaded-dtype.js';
import type { Engine } from '../../map/engine.js';

export const CROSS_KEYS =
  /\.(EncDecAttention|encoder_attn|cross_attn|crossattention|encoder_decoder_attention)\.((self|attention)\.)?(k|v|k_proj|v_proj|key_proj|value_proj|key|value|c_attn)\./;
const LOOKED_UP = /embed/i;
/** Of pairs of places in a window: no token is multiplied with these. */
const OF_PLACES = /\.(relative_position_bias_table$|continuous_position_bias_mlp\.)/;
const CONVOLUTION = /conv/i;

export interface SizedIn {
  readonly tensors: TensorTable;
  readonly rules: DtypeRules;
  readonly engine: Engine;
  readonly config: AnyConfig;
  /** Of what a file holds, what accelerate puts on the GPU that runs it, wherever the map has it. */
  readonly isBuffer: (name: string) => boolean;
}

export interface Sizes extends BlockWidths {
  readonly leaves: ReadonlyMap<string, number>;
  readonly weightBytes: number;
  readonly bufferBytes: number;
  readonly elements: number;
  readonly expertBytes: number;
  /** Bytes and modules that only the first token needs. */
  readonly crossBytes: number;
  readonly crossLeaves: number;
}

export const isPlain = (info: TensorInfo | undefined): boolean =>
  info === undefined || ['F64', 'F32', 'F16', 'BF16', 'I64', 'BOOL'].includes(info.dtype);

/** @param reads tensors of other groups that it multiplies with, too */
export function sizesOf(
  names: readonly string[],
  { tensors, rules, config, isBuffer, engine }: SizedIn,
  reads: readonly string[] = [],
): Sizes {
  const leaves = new Map<string, number>();
  const crossLeaves = new Set<string>();
  const total = { weightBytes: 0, bufferBytes: 0, elements: 0, expertBytes: 0, expertElements: 0, crossBytes: 0 };
  let widest = 0;
  let rowWidth = 0;
  let isPacked = false;
  const own = new Set(names);
  for (const [name, info] of [...names, ...reads].flatMap((each) => entryOf(each, tensors))) {
    const bytes = loadedBytes(name, info, rules);
    const elements = elementCount(info.shape);
    const leaf = parentOf(name) || name;
    const stays = engine === 'transformers' && isBuffer(name);
    leaves.set(leaf, (leaves.get(leaf) ?? 0) + (stays ? 0 : bytes));
    total.weightBytes += bytes;
    if (stays) total.bufferBytes += bytes;
    total.elements += elements;
    if (EXPERTS.test(name)) {
      total.expertBytes += bytes;
      total.expertElements += elements;
    }
    if (CROSS_KEYS.test(name)) {
      total.crossBytes += bytes;
      crossLeaves.add(leaf);
    }
    // Rows are looked up of a table: its width is that of what comes out, not of a product.
    if (elements === Math.max(1, ...info.shape)) continue;
    if ((names.length > 1 && own.has(name) && LOOKED_UP.test(leaf)) || OF_PLACES.test(name)) continue;
    if (isPlain(info)) {
      // Of several matrices in one tensor, the last two sides; of a convolution, channels, and not the sides of what slides.
      const isConvolution = info.shape.length > 3 || (info.shape.length === 3 && CONVOLUTION.test(name));
      const sides = isConvolution ? info.shape.slice(0, 2) : info.shape.slice(-2);
      widest = Math.max(widest, ...sides);
      rowWidth = Math.max(rowWidth, isConvolution ? Math.max(...sides) : (sides.at(-1) ?? 0));
    } else isPacked = true;
  }
  if (isPacked) {
    // What is packed does not show its sides.
    const text = textConfig(config);
    rowWidth = Math.max(rowWidth, numberOf(text, 'hidden_size', 'n_embd', 'd_model') ?? 0);
    widest = Math.max(widest, rowWidth, numberOf(text, 'intermediate_size', 'n_inner', 'd_ff') ?? 0);
  }
  return { leaves, ...total, crossLeaves: crossLeaves.size, widest, rowWidth };
}

export function entryOf(name: string, tensors: TensorTable): [string, TensorInfo][] {
  const info = tensors.get(name);
  return info === undefined ? [] : [[name, info]];
}
