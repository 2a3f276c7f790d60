/** What `quantization_config` means for a device map, by what transformers 5.24 and its kernels allow. */
import type { Engine } from '../map/engine.js';
import { asConfig, stringOf, textConfig, type AnyConfig } from './model-config.js';

export interface Quantization {
  readonly method: string;
  /** Where modules may be that are not on a GPU. */
  readonly stores: readonly ('cpu' | 'disk')[];
  /** Whether transformers makes floats of the weights, see `decompressed`. */
  readonly becomesFloats: boolean;
  /** Whether it is described where transformers does not look, so that what it makes are not these weights. */
  readonly isUnread: boolean;
}

/** Methods whose stored tensors are read as they are, wherever they lie; the others want all of the model on GPUs. */
const STORES: ReadonlyMap<string, readonly ('cpu' | 'disk')[]> = new Map([
  ['fp8', ['cpu', 'disk']],
  ['mxfp4', ['cpu', 'disk']],
  ['torchao', ['cpu']],
]);

/** All that transformers loads (`AUTO_QUANTIZATION_CONFIG_MAPPING`); it skips the scales of any other, and says so in its log. */
const KNOWN = new Set(
  (
    'awq bitsandbytes gptq aqlm quanto quark fouroversix fp_quant eetq higgs hqq compressed-tensors fbgemm_fp8 torchao bitnet ' +
    'vptq spqr fp8 gguf nvfp4 mxfp8 auto-round mxfp4 metal sinq gemma'
  ).split(' '),
);

/** A method that the configuration does not name. */
const UNNAMED = 'unknown';

const FLOATS_WHEN_RUN = 'compressed-tensors';

/**
 * null where the checkpoint is not quantised.
 * @param reader who loads it: others than transformers keep the tensors as they are stored
 */
export function quantizationOf(config: AnyConfig, reader: 'transformers' | 'other'): Quantization | null {
  const described = quantizationConfig(config);
  if (Object.keys(described).length === 0) return null;
  const isUnread = reader === 'transformers' && Object.keys(namedOf(config, NAME)).length === 0;
  // Neither packed nor scaled, as where weights are only sparse: the files hold floats.
  if (isUnread && described['config_groups'] === undefined) return null;
  const flags = [described['load_in_4bit'], described['load_in_8bit']];
  const method = stringOf(described, 'quant_method') ?? (flags.includes(true) ? 'bitsandbytes' : UNNAMED);
  // Neither of its formats: transformers loads floats.
  if (method === 'bitsandbytes' && flags.every((flag) => flag === false)) return null;
  const becomesFloats = isUnread || (reader === 'transformers' && method === FLOATS_WHEN_RUN);
  return { method, stores: becomesFloats ? ['cpu', 'disk'] : (STORES.get(method) ?? []), becomesFloats, isUnread };
}

const NAME = 'quantization_config';
/** An older name of it, which other loaders read and transformers 5.24 does not. */
const OLDER_NAME = 'compression_config';

/** Without fields where there is none. */
export function quantizationConfig(config: AnyConfig): AnyConfig {
  const described = namedOf(config, NAME);
  return Object.keys(described).length > 0 ? described : namedOf(config, OLDER_NAME);
}

/** Of the model, or of its language model alone. */
function namedOf(config: AnyConfig, name: string): AnyConfig {
  const own = asConfig(config[name]);
  return Object.keys(own).length > 0 ? own : asConfig(textConfig(config)[name]);
}

export function quantizationNotes(quantization: Quantization | null, engine: Engine): string[] {
  if (quantization === null) return [];
  const { method, stores, becomesFloats, isUnread } = quantization;
  if (isUnread) return ['Weights are counted as the floats that transformers makes of them.'];
  if (becomesFloats) {
    return [
      `Weights are counted as the floats that transformers makes of ${method}: at the latest in the first call, and then a map of ` +
        'several devices fails. Load with quantization_config=CompressedTensorsConfig(dequantize=True), as the Python of this plan does.',
    ];
  }
  return [
    `Weights are counted as they are stored${method === UNNAMED ? '' : ` (${method})`}.`,
    ...(engine === 'transformers' && KNOWN.has(method) && stores.length === 0
      ? [`transformers runs ${method} on GPUs alone: quantised modules are not placed elsewhere beside one.`]
      : []),
    ...(method === 'fp8'
      ? [
          'transformers loads fp8 as bfloat16, at twice the size, on cards older than compute capability 8.9 and without a GPU.',
        ]
      : []),
    ...(method === 'mxfp4'
      ? ['Without its kernels transformers loads mxfp4 as bfloat16, at nearly four times the size.']
      : []),
  ];
}

/** What makes a plan for transformers pointless. */
export function quantizationWarnings(quantization: Quantization | null, engine: Engine): string[] {
  if (quantization === null || engine !== 'transformers') return [];
  if (quantization.isUnread) {
    return [
      `transformers does not read ${OLDER_NAME}: it makes up weights that are packed, takes others without their scales, and answers ` +
        `nonsense. Rename the field of config.json to ${NAME}.`,
    ];
  }
  if (KNOWN.has(quantization.method)) return [];
  if (quantization.method === UNNAMED) {
    return [
      `transformers refuses a ${NAME} without quant_method, such as MLX writes: this map is of use to another loader at best. Give the model that it ` +
        'was made from.',
    ];
  }
  return [
    `transformers does not know quantisation by ${quantization.method}: it takes the stored numbers for weights, without their scales, ` +
      'and answers nonsense or fails. This map is of use to another loader at best, by the names of the file.',
  ];
}
