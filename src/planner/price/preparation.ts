/** What a start costs beside loading. Latencies are of a caption, so this is said and not added to them. */
import { QUANT_BITS, QUANT_BLOCK_SIZE, type QuantScheme } from '../../tensor/quantized.js';
import { formOf, type ModelProfile } from '../profile/model-profile.js';
import type { Place } from './place.js';

/**
 * Seconds per 10^9 weights that ONNX Runtime 1.30 takes to bring quantised weights into the order that its CPU kernels read:
 * measured on one AVX2 thread (`bench/cpu`).
 */
const REARRANGING_SECONDS: Readonly<Record<QuantScheme, number>> = { int8: 4.5, int4: 2.7 };

/** A sentence where the CPU runs quantised blocks. */
export function preparationNotes(profile: ModelProfile, choice: readonly Place[]): string[] {
  if (profile.engine === 'transformers') return [];
  let weights = 0;
  let seconds = 0;
  for (const [i, block] of profile.blocks.entries()) {
    const place = choice[i];
    if (place?.execution !== 'host') continue;
    const { scheme, weightBytes } = formOf(block, place.scheme);
    if (scheme === null) continue;
    const billions = weightBytes / bytesPerWeight(scheme) / 1e9;
    weights += billions;
    seconds += billions * REARRANGING_SECONDS[scheme];
  }
  if (weights === 0) return [];
  return [
    `Every start takes about ${seconds.toFixed(1)} s more, in which the CPU rearranges ${weights.toFixed(2)} * 10^9 quantised weights: no part of the predicted latency.`,
  ];
}

/** An integer and its part of a float16 scale. */
function bytesPerWeight(scheme: QuantScheme): number {
  return QUANT_BITS[scheme] / 8 + 2 / QUANT_BLOCK_SIZE[scheme];
}
