/** What `quantization_config` means for a device map, by what transformers 5.24 and its kernels allow. */
import type { Engine } from '../map/engine.js';
import { asConfig, stringOf, type AnyConfig } from './model-config.js';

export interface Quantization {
  readonly method: string;
  /** Where modules may be that are not on a GPU. */
  readonly stores: readonly ('cpu' | 'disk')[];
}

/** Methods whose stored tensors are read as they are, wherever they lie; the others want all of the model on GPUs. */
const STORES: ReadonlyMap<string, readonly ('cpu' | 'disk')[]> = new Map([
  ['fp8', ['cpu', 'disk']],
  ['compressed-tensors', ['cpu', 'disk']],
  ['modelopt', ['cpu', 'disk']],
  ['mxfp4', ['cpu', 'disk']],
  ['torchao', ['cpu']],
]);

/** null where the checkpoint is not quantised. */
export function quantizationOf(config: AnyConfig): Quantization | null {
  const described = asConfig(config['quantization_config'] ?? config['compression_config']);
  if (Object.keys(described).length === 0) return null;
  const bits = described['load_in_4bit'] === true || described['load_in_8bit'] === true;
  const method = stringOf(described, 'quant_method') ?? (bits ? 'bitsandbytes' : 'unknown');
  return { method, stores: STORES.get(method) ?? [] };
}

export function quantizationNotes(quantization: Quantization | null, engine: Engine): string[] {
  if (quantization === null) return [];
  const { method, stores } = quantization;
  return [
    `Weights are counted as they are stored (${method}).`,
    ...(engine === 'transformers' && stores.length === 0
      ? [`transformers runs ${method} on GPUs alone: quantised modules are not placed elsewhere beside one.`]
      : []),
    ...(method === 'fp8'
      ? ['transformers loads fp8 as bfloat16, at twice the size, on cards older than compute capability 8.9 and without a GPU.']
      : []),
    ...(method === 'mxfp4' ? ['Without its kernels transformers loads mxfp4 as bfloat16, at nearly four times the size.'] : []),
  ];
}
