/**
 * A checkpoint of compressed-tensors as transformers 5.24 runs it. Loaded as it is, it stays compressed until the first call, which
 * makes floats of all weights and fails where modules have hooks; with `dequantize=True` they are floats from the start.
 */
import type { TensorInfo, TensorTable } from '../../tensor/tensor-info.js';
import { asConfig, numberOf, type AnyConfig } from './model-config.js';
import { quantizationConfig, type Quantization } from './quantization.js';

/** What a module has beside its weight, which goes when that becomes floats. */
const BESIDE = /^(weight_(scale|zero_point|global_scale|shape|g_idx)|(in|out)put_(scale|zero_point|global_scale))$/;
const PACKED = 'weight_packed';

/** The same map where nothing is compressed. Weights take the dtype of the model; bfloat16 stands for that. */
export function decompressed(tensors: TensorTable, config: AnyConfig, quantization: Quantization | null): TensorTable {
  if (quantization?.becomesFloats !== true) return tensors;
  const perInt32 = Math.floor(32 / fewestBits(config));
  const dense = new Map<string, TensorInfo>();
  for (const [name, info] of tensors) {
    const dot = name.lastIndexOf('.');
    const [module, leaf] = [name.slice(0, dot), name.slice(dot + 1)];
    const isCompressed = tensors.has(`${module}.weight_scale`);
    if (leaf === PACKED) {
      const [rows = 1, columns = 1] = info.shape;
      // Two of four bits in a byte, or as many as go into 32 bits.
      const shape = [rows, columns * (info.dtype === 'U8' ? 2 : perInt32)];
      dense.set(`${module}.weight`, { ...info, dtype: 'BF16', shape });
    } else if (isCompressed && leaf === 'weight') dense.set(name, { ...info, dtype: 'BF16' });
    else if (!isCompressed || !BESIDE.test(leaf)) dense.set(name, info);
  }
  return dense;
}

/** Of the packed schemes: where there are several, weights of the others are counted larger than they are. */
function fewestBits(config: AnyConfig): number {
  const { config_groups: groups } = quantizationConfig(config);
  const bits = Object.values(asConfig(groups)).map((group) =>
    numberOf(asConfig(asConfig(group)['weights']), 'num_bits'),
  );
  return Math.min(8, ...bits.filter((each) => each !== null));
}
