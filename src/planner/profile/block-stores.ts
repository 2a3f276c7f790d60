/** Where a block may wait while it is not on the GPU that runs it, and why not elsewhere. */
import type { Block } from '../../model/blocks.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { keepsItsDtype, type DtypeRules } from './loaded-dtype.js';
import type { Engine } from '../map/engine.js';
import { infoOf } from './tensor-sizes.js';
import type { ModelProfile, ProfileBlock } from './model-profile.js';

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

/** Why a block cannot wait in a store that is not amongst its `stores`, beside a GPU that runs it. */
export function whyNotThere({ kind, stores }: ProfileBlock, { quantization, dtype }: ModelProfile): string {
  if (kind === 'query-tokens')
    return 'a parameter of the root module is loaded once and cannot be read from disk when it is needed';
  if (stores.length === 0) {
    return quantization === undefined
      ? 'transformers reads its parameters without calling it, so that nothing brings them to the GPU'
      : `transformers runs ${quantization} on GPUs alone`;
  }
  if (quantization !== undefined) return `transformers does not read ${quantization} from disk`;
  return `transformers keeps parts of it in float32, but reads from disk in ${dtype}, so that it fails or answers otherwise`;
}
