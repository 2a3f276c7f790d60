/** Ties of parts that layers share, such as Zamba's attention: which layers go together is the configuration's to say. */
import { numberOf, textConfig, type AnyConfig } from './model-config.js';

type Tie = readonly [target: string, source: string];

const LAYER = /^(.*\.)(\d+)(\..+)$/;

/** The ties of a class, those between layers as this configuration has them rather than the default one. */
export function tiesUnder(config: AnyConfig, ties: ReadonlyMap<string, string>): readonly Tie[] {
  const text = textConfig(config);
  const kinds = text['layers_block_type'];
  const shared = [...ties].find(([target, source]) => LAYER.test(target) && LAYER.test(source));
  const [, above = '', , below = ''] = LAYER.exec(shared?.[0] ?? '') ?? [];
  if (shared === undefined || !Array.isArray(kinds)) return [...ties];
  const layers = kinds.flatMap((kind, index) => (kind === 'hybrid' ? [above + String(index) + below] : []));
  const apart = numberOf(text, 'num_mem_blocks') ?? 1;
  const between = layers.slice(apart).map((layer, index): Tie => [layer, layers[index % apart] ?? layer]);
  return [...[...ties].filter(([target]) => !LAYER.test(target)), ...between];
}
