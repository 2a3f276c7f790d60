import type { QuantScheme } from '../../../tensor/quantized.js';
import type { PlanDocument } from './plan-document.js';

/** What a plan quantises a block to; a block may have any name, that of what objects inherit included. */
export function schemeIn({ quant }: Pick<PlanDocument, 'quant'>, block: string): QuantScheme | null {
  return Object.hasOwn(quant, block) ? (quant[block] ?? null) : null;
}
