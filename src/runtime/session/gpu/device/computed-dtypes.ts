import { isRetrieval, type ModelConfig } from '../../../../model/blip2-config.js';
import { blip2Blocks, type BlockKind } from '../../../../model/blocks.js';
import { longestPrefix } from '../../../../planner/map/longest-prefix.js';
import { loadedDtype } from '../../../../planner/profile/loaded-dtype.js';
import type { Dtype } from '../../../../tensor/dtype.js';
import type { TensorInfo } from '../../../../tensor/tensor-info.js';
import type { GpuFloat, GpuStyle } from '../../../graph/gpu/gpu-style.js';
import { tokenTableName } from '../../../graph/vocabulary.js';
import { HEAD, sharesTable } from './shared-head.js';

const LOADED = { F16: 'float16', F32: 'float32' } as const satisfies Record<GpuFloat, string>;

/** Tables whose rows the host looks up, in any dtype: no device computes with them. */
const TABLES: ReadonlySet<BlockKind> = new Set<BlockKind>(['opt-tokens', 'opt-positions', 'llama-tokens', 't5-tokens']);

/**
 * The block that computes with each tensor, which is that of the head for a table that it shares.
 * @returns undefined for one with which no block does
 */
export function computingBlocks(
  config: ModelConfig,
  tensors: ReadonlyMap<string, unknown>,
): (tensor: string) => string | undefined {
  const blocks = new Map(blip2Blocks(config).map((block) => [block.name, block]));
  const table = isRetrieval(config) ? null : tokenTableName(config.text, tensors);
  const isShared = sharesTable(tensors);
  return (name) => {
    const block = isShared && name === table ? blocks.get(HEAD) : longestPrefix(blocks, name);
    return block === undefined || TABLES.has(block.kind) ? undefined : block.name;
  };
}

/**
 * The dtype in which each tensor is computed with: its device's float, except where BLIP-2 needs float32. The Q-Former needs
 * it for sums and norms alone; but where matrices have another float than activations, products are made from parts, and its many small ones are slow.
 * @param styleOf of the device that runs a block
 */
export function computedDtypes(
  config: ModelConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
  styleOf: (block: string) => Pick<GpuStyle, 'float' | 'matrices'>,
): Map<string, Dtype> {
  const blockOf = computingBlocks(config, tensors);
  const computed = [...tensors].map(([name, { dtype, shape }]) => {
    const block = blockOf(name);
    if (block === undefined) return [name, dtype] as const;
    const { float, matrices } = styleOf(block);
    const isMatrix = shape.length > 1 && name.endsWith('.weight');
    const blip2 = matrices === float ? 'blip2-run' : 'blip-2';
    const rules = { dtype: LOADED[isMatrix ? matrices : float], blip2 } as const;
    return [name, loadedDtype(name, dtype, rules)] as const;
  });
  return new Map(computed);
}
