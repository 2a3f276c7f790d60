import { storedScheme } from '../../../../tensor/quantized.js';

export const HEAD = 'language_model.lm_head';

/** Whether the head multiplies by the token table: the file holds no weights of its own for it. */
export function sharesTable(tensors: Pick<ReadonlyMap<string, unknown>, 'has'>): boolean {
  return !tensors.has(`${HEAD}.weight`) && storedScheme(tensors, `${HEAD}.weight`) === null;
}
