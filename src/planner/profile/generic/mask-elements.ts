/** Which tokens may attend to which, in memory while a model's layers run (`masking_utils.py` of transformers 5.24, for attention in one operation). */
import { isWithin } from '../../map/module-paths.js';
import { numberOf, type AnyConfig } from '../../models/model-config.js';
import type { ModelClass } from '../../models/read-model-table.js';
import type { BlockRows } from './score-elements.js';

export interface MaskElements {
  /** For each token, while layers run. */
  readonly perToken: number;
  /** For all, while they are made before the first layer. */
  readonly made: number;
}

export const NO_MASKS: MaskElements = { perToken: 0, made: 0 };
/** Of windows in both directions: how far two tokens are apart, with its sign and without, as 64-bit integers. */
const BYTES_OF_DISTANCES = 16;

export function maskElements(
  block: string,
  { sequences, length }: BlockRows,
  cls: ModelClass,
  text: AnyConfig,
  elementBytes: number,
): MaskElements {
  // What is written out counts its masks with its scores.
  if (cls.isEager || cls.pictures !== null) return NO_MASKS;
  const isEncoder = (cls.use === 'once' && !cls.keepsCaches) || (cls.encodes && !isWithin(block, cls.decoder));
  const window = maskedWindow(text);
  const isWindowed = window !== null && length >= window;
  // Sequences of one length need none, but encoders are often given one that is padded.
  const isPadded = sequences > 1 || isEncoder;
  const masks = (isPadded && hasFullLayers(text) ? 1 : 0) + (isWindowed || (isPadded && window !== null) ? 1 : 0);
  const perToken = (masks * length) / elementBytes;
  const isBothWays = isEncoder || text['use_bidirectional_attention'] === true;
  const distances = isWindowed && isBothWays ? (BYTES_OF_DISTANCES * length ** 2) / elementBytes : 0;
  return { perToken, made: sequences * length * perToken + distances };
}

/** Tokens that some layer sees at most, in one direction; null where all layers see all. */
function maskedWindow(text: AnyConfig): number | null {
  if (text['use_sliding_window'] === false) return null;
  const types: unknown = text['layer_types'];
  if (Array.isArray(types) && !types.some(isLocal)) return null;
  const both = numberOf(text, 'local_attention');
  return both === null ? numberOf(text, 'sliding_window', 'attention_chunk_size') : Math.floor(both / 2);
}

const isLocal = (type: unknown): boolean => type === 'sliding_attention' || type === 'chunked_attention';

/** Whether some layer sees all tokens: all of them where no window is told, and none of them where nothing tells one from another. */
function hasFullLayers(text: AnyConfig): boolean {
  const types: unknown = text['layer_types'];
  if (Array.isArray(types)) return types.includes('full_attention');
  const alternates = ['sliding_window_pattern', 'global_attn_every_n_layers', 'no_rope_layers', 'max_window_layers'];
  return maskedWindow(text) === null || numberOf(text, ...alternates) !== null;
}
