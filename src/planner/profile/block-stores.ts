import type { Block } from '../../model/blocks.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { keepsItsDtype, type DtypeRules } from './loaded-dtype.js';
import type { Engine } from '../map/engine.js';
import { infoOf } from './tensor-sizes.js';

/**
 * Parameters of the root module cannot be read from disk run by run. transformers reads what a map puts on disk in the model's
 * dtype, also where it keeps a module in another: a Q-Former that is cut there fails, and T5's `wo` overflows.
 */
export function storesOf(
  block: Block,
  names: readonly string[],
  tensors: ReadonlyMap<string, TensorInfo>,
  rules: DtypeRules,
  engine: Engine,
): readonly ('cpu' | 'disk')[] {
  const loaded =
    block.kind === 'query-tokens' ||
    (engine === 'transformers' && names.some((name) => keepsItsDtype(name, infoOf(tensors, name).dtype, rules)));
  return loaded ? ['cpu'] : ['cpu', 'disk'];
}
