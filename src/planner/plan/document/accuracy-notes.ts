import { at } from '../../../checked-access.js';
import { QUANT_SCHEMES, type QuantScheme } from '../../../tensor/quantized.js';
import { WEIGHT_ERROR, type AccuracyPrices } from '../../price/accuracy.js';
import type { Place } from '../../price/place.js';
import type { ModelProfile } from '../../profile/model-profile.js';
import type { AccuracyNote } from './plan-document.js';

/** What a plan says about its quantised blocks, scheme by scheme. */
export function accuracyNotes(
  profile: ModelProfile,
  choice: readonly Place[],
  charged: AccuracyPrices,
  schemes: ReadonlyMap<string, QuantScheme>,
): AccuracyNote[] {
  return QUANT_SCHEMES.flatMap((scheme) => {
    const blocks = [...schemes.values()].filter((each) => each === scheme).length;
    if (blocks === 0) return [];
    const priceMs = profile.blocks.reduce((sum, block, i) => {
      const place = at(choice, i);
      return place.scheme === scheme ? sum + charged(block, place) : sum;
    }, 0);
    return [{ scheme, blocks, weightError: WEIGHT_ERROR[scheme], priceMs: Math.round(priceMs * 1000) / 1000 }];
  });
}
