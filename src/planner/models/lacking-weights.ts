import type { Dtype } from '../../tensor/dtype.js';
import type { TensorTable } from '../../tensor/tensor-info.js';
import { parentOf } from '../map/module-paths.js';
import type { ModuleTree } from './module-tree.js';

const PLAIN: ReadonlySet<Dtype> = new Set(['F64', 'F32', 'F16', 'BF16']);

/**
 * What to know of weights that are quantised without a word of it in config.json. Beside them a file has tensors that the class does not
 * know, such as scales. Of a module whose `weight` it lacks, as with GPTQ's `qweight`, transformers makes up floats; of one whose `weight` is packed
 * or scaled, as MLX's and ModelOpt's, it takes the stored numbers.
 * @param strange loaded names of the file's tensors that the class has not
 */
export function lackingWeights(strange: Iterable<string>, loaded: TensorTable, tree: ModuleTree): string | null {
  const lacking = new Map<string, string>();
  const packed = new Map<string, string>();
  for (const name of strange) {
    const module = parentOf(name);
    // bitsandbytes hangs what it needs below the weight.
    const weight = loaded.has(module) ? module : `${module}.weight`;
    const held = loaded.get(weight);
    if (held !== undefined && !PLAIN.has(held.dtype)) packed.set(weight, packed.get(weight) ?? name);
    if (held === undefined && !lacking.has(weight) && tree.depth(weight) === Infinity) lacking.set(weight, name);
  }
  const [made] = lacking;
  if (made !== undefined) {
    const [weight, name] = made;
    return (
      `The files have ${name} and no ${weight}${more(lacking)}, and config.json has no quantization_config: transformers would make ` +
      'up such weights, for which this plan has no bytes.'
    );
  }
  const [taken] = packed;
  if (taken === undefined) return null;
  const [weight, name] = taken;
  return (
    `The files have ${weight} as ${loaded.get(weight)?.dtype} beside ${name}${more(packed)}, and config.json has no quantization_config: ` +
    'transformers takes the stored numbers for weights, without their scales, and answers nonsense or fails.'
  );
}

const more = ({ size }: ReadonlyMap<string, string>): string => (size === 1 ? '' : ` and ${size - 1} more`);
