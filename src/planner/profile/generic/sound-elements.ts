/**
 * What convolutions over sound hold that make its frames, or sound of them: they run on many more rows than there are frames. Factors are
 * those of plain torch, as `test/fixtures/planner/record_activations.py` counts them.
 */
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';

/** Results of a layer at once, beside what comes in: the product, its norm and what the activation function makes. */
const RESULTS = 3.56;
/** The same of convolutions over a spectrum. */
const RESULTS_OF_SPECTRUM = 3.3;
/** Of codecs, whose blocks have shortcuts. */
const RESULTS_OF_CODEC = 7;

const LAYER = /(?:^|\.)conv_layers\.(\d+)(?:\.|$)/;
const SUBSAMPLING = /(^|\.)subsampling(\.|$)/;
const CODEC = /(^|\.)(encoder|decoder)(_seanet)?\.(layers\.\d|block|conv[12]|snake1)/;
const PARTS = ['encoder', 'encoder_config', 'audio_config', 'codec_config'];

const PLACES = /(^|\.)embed_positions\.weight$/;

export interface FixedSound {
  /** Module path of what goes over it. */
  readonly path: string;
  readonly frames: number;
}

/** What goes over sound of one length, as Whisper's encoder does; null where nothing does. */
export function fixedSound(config: AnyConfig, tensors: TensorTable): FixedSound | null {
  const part = [asConfig(config['audio_config']), config].find((each) => numberOf(each, 'num_mel_bins') !== null) ?? {};
  const frames = numberOf(part, 'max_source_positions');
  const places = [...tensors].find(([name, { shape }]) => PLACES.test(name) && shape[0] === frames)?.[0];
  return places === undefined || frames === null ? null : { path: places.replace(PLACES, ''), frames };
}

/** Elements of a block for so many frames; 0 for one that runs on frames. */
export function soundElements(block: string, frames: number, config: AnyConfig): number {
  const parts = [config, ...PARTS.map((part) => asConfig(config[part]))];
  return Math.ceil(Math.max(...parts.map((part) => elementsIn(block, frames, part))));
}

function elementsIn(block: string, frames: number, part: AnyConfig): number {
  const layer = LAYER.exec(block)?.[1];
  if (layer !== undefined) return frames * layerElements(Number(layer), part);
  if (SUBSAMPLING.test(block)) return frames * subsampledElements(part);
  return CODEC.test(block) ? frames * codedElements(part) : 0;
}

/** Of wav2vec 2.0 and its like: each layer takes so many steps at once of what the one before it makes. */
function layerElements(layer: number, { conv_stride: steps, conv_dim: widths }: AnyConfig): number {
  const [strides, channels] = [numbersOf(steps), numbersOf(widths)];
  const made = (at: number): number => (channels[at] ?? 0) * product(strides.slice(at + 1));
  return made(layer - 1) + RESULTS * made(layer);
}

/** Of FastConformer and its like: the first of several convolutions halves both sides of the spectrum. */
function subsampledElements(part: AnyConfig): number {
  const factor = numberOf(part, 'subsampling_factor') ?? 0;
  const channels = numberOf(part, 'subsampling_conv_channels') ?? 0;
  return RESULTS_OF_SPECTRUM * (factor / 2) * ((numberOf(part, 'num_mel_bins') ?? 0) / 2) * channels;
}

/** Of codecs, at the rate of the sound itself: the first layers of the encoder, and the last of the decoder. */
function codedElements(part: AnyConfig): number {
  const ratios = numbersOf(part['upsampling_ratios']);
  const last = (numberOf(part, 'decoder_hidden_size') ?? 0) / 2 ** ratios.length;
  const filters = numberOf(part, 'num_filters') ?? Math.max(last, numberOf(part, 'encoder_hidden_size') ?? 0);
  // Mimi makes a frame of two steps of its convolutions, and two of a frame in groups.
  const steps = numberOf(part, 'upsample_groups') === null ? 1 : 2;
  return ratios.length === 0 ? 0 : RESULTS_OF_CODEC * product(ratios) * steps * filters;
}

const product = (numbers: readonly number[]): number => numbers.reduce((all, each) => all * each, 1);

const numbersOf = (list: unknown): number[] =>
  Array.isArray(list) ? list.filter((each) => typeof each === 'number') : [];
