/** Layers that config.json counts, and those that a file holds. */
import { numberOf, textConfig, type AnyConfig } from './model-config.js';
import type { ModelClass } from './read-model-table.js';

export interface CountedLayers {
  /** Whether a tensor is of a layer behind the last that is counted, as for predicting several tokens: those are not built. */
  readonly isBeyond: (name: string) => boolean;
  /** What to know where more are counted than these tensors make; null elsewhere. */
  readonly lacking: (names: Iterable<string>) => string | null;
}

export function countedLayers({ decoder, prefix, use, renames }: ModelClass, config: AnyConfig): CountedLayers {
  const layers = numberOf(textConfig(config), 'num_hidden_layers', 'n_layer', 'num_layers');
  const start = `${decoder || prefix}.layers.`;
  const numberIn = (name: string): number => Number.parseInt(name.slice(start.length), 10);
  return {
    isBeyond: (name) => layers !== null && name.startsWith(start) && numberIn(name) >= layers,
    lacking(names) {
      // Encoders and decoders count theirs by other fields, and who stores a layer as two counts both.
      const isCounted = (use === 'causal' || use === 'picture') && !renames.some(({ kind }) => kind === 'pair');
      if (layers === null || !isCounted) return null;
      const held = new Set([...names].filter((name) => name.startsWith(start)).map(numberIn)).size;
      if (held === 0 || held >= layers) return null;
      return (
        `config.json counts ${layers} layers, the files hold ${held}: transformers would make up the others, ` +
        'for which this plan has no bytes and no keys.'
      );
    },
  };
}
