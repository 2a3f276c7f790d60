/** Every block of the language model in one scheme; none without a scheme. */
import { blip2Blocks } from '../../dist/src/model/blocks.js';

export function languageQuant(config, scheme) {
  if (scheme === undefined) return new Map();
  const blocks = blip2Blocks(config).filter(({ phase }) => phase !== 'image');
  return new Map(blocks.map(({ name }) => [name, scheme]));
}
