import { Blip2Error } from '../errors.js';
import { isRetrieval, type ModelConfig } from './blip2-config.js';
import type { TextConfig } from './language-config.js';

/** A stack of layers: what config.json says of it, and where its layers are in the names of tensors. */
interface Stack {
  readonly field: string;
  readonly layers: number;
  /** Its first group is the number of a layer. */
  readonly names: RegExp;
}

/**
 * A configuration with fewer layers than the weights would run, without a word, as another model.
 * @throws Blip2Error `CONFIG_MISMATCH` with both numbers
 */
export function checkLayerCounts(tensors: ReadonlyMap<string, unknown>, config: ModelConfig): void {
  const names = [...tensors.keys()];
  for (const stack of stacksOf(config)) {
    const there = new Set(names.flatMap((name) => stack.names.exec(name)?.[1] ?? []));
    if (there.size <= stack.layers) continue;
    throw new Blip2Error(
      'CONFIG_MISMATCH',
      `config.json says ${stack.layers} layers in ${stack.field}; the weights have ${there.size}`,
      {
        hint: 'Check that config.json belongs to these weights.',
        details: { field: stack.field, stated: stack.layers, there: there.size },
      },
    );
  }
}

function stacksOf(config: ModelConfig): Stack[] {
  const { vision, qformer } = config;
  const crossLayers = Math.ceil(qformer.layers / qformer.crossAttentionFrequency);
  return [
    {
      field: 'vision_config.num_hidden_layers',
      layers: vision.layers,
      names: /^vision_model\.encoder\.layers\.(\d+)\./,
    },
    { field: 'qformer_config.num_hidden_layers', layers: qformer.layers, names: /^qformer\.encoder\.layer\.(\d+)\./ },
    {
      field: `qformer_config that attend to the picture (cross_attention_frequency ${qformer.crossAttentionFrequency})`,
      layers: crossLayers,
      names: /^qformer\.encoder\.layer\.(\d+)\.crossattention\./,
    },
    ...(isRetrieval(config) ? [] : languageStacks(config.text)),
  ];
}

function languageStacks(text: TextConfig): Stack[] {
  switch (text.family) {
    case 'opt':
      return [layersOf(/^language_model\.model\.decoder\.layers\.(\d+)\./, text.layers)];
    case 'llama':
      return [layersOf(/^language_model\.model\.layers\.(\d+)\./, text.layers)];
    case 't5':
      return [
        { field: 'text_config.num_layers', layers: text.layers, names: /^language_model\.encoder\.block\.(\d+)\./ },
        {
          field: 'text_config.num_decoder_layers',
          layers: text.decoderLayers,
          names: /^language_model\.decoder\.block\.(\d+)\./,
        },
      ];
  }
}

const layersOf = (names: RegExp, layers: number): Stack => ({ field: 'text_config.num_hidden_layers', layers, names });
