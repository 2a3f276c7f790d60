import { Tensor } from 'onnxruntime-node';
import type { T5Config } from '../../../model/t5-config.js';
import type { TokenSource } from '../../generation/token-source.js';
import { crossWire } from '../../graph/wires.js';
import { causalBias, paddingBias, type Mask } from '../model/attention-bias.js';
import { emptyPast, pastOf, perLayer, selectCacheRows, wireOf, type Wires } from '../model/kv-cache.js';
import { fullMasks, idTensor, type LanguagePrompt } from '../model/language-prompt.js';
import { positionBuckets } from '../model/position-buckets.js';
import type { ProgramRunner } from './program-runner.js';

/** T5 over two programs: the prompt's, run once, and the token's. The decoder starts from its start id. */
export function t5TokenSource(
  encoder: ProgramRunner,
  decoder: ProgramRunner,
  config: T5Config,
  prompt: LanguagePrompt,
): TokenSource {
  const promptMasks = fullMasks(prompt);
  /** Keys and values of the prompts, by picture; `cross` is the same by row of the newest step. */
  let encoded: Wires = new Map();
  let cross: Wires = new Map();
  /** The picture of each row of the newest step. */
  let pictures: readonly number[] = [];
  let past: Wires = new Map();
  let length = 0;
  const step = async (ids: readonly number[]): Promise<Float32Array> => {
    length++;
    const masks = pictures.map((picture) => promptMasks[picture] ?? []);
    const rows = ids.map((id) => [id]);
    const given = t5TokenWires(config, rows, length, masks);
    const wires = await decoder.run(new Map([...past, ...cross, ...given]));
    past = pastOf(config, wires);
    return wireOf(wires, 'logits').data as Float32Array;
  };
  return {
    vocabSize: config.vocabSize,
    async prefill() {
      encoded = crossCaches(config, await encoder.run(t5PromptWires(config, prompt)));
      cross = encoded;
      pictures = prompt.textIds.map((_, row) => row);
      past = emptyPast(config, pictures.length);
      length = 0;
      return step(pictures.map(() => config.decoderStartTokenId));
    },
    advance(ids, parents) {
      const next = parents.map((parent) => pictures[parent] ?? 0);
      if (next.join() !== pictures.join()) cross = selectCacheRows(encoded, next);
      pictures = next;
      past = selectCacheRows(past, parents);
      return step(ids);
    },
  };
}

/** What the prompt program reads. */
export function t5PromptWires(config: T5Config, prompt: LanguagePrompt): Map<string, Tensor> {
  const bias = paddingBias(fullMasks(prompt), 1);
  const [rows = 0, , , length = 0] = bias.dims;
  return new Map([
    ['prefix', prompt.prefix],
    ['input_ids', idTensor(prompt.textIds)],
    ['encoder_mask', new Tensor('float32', bias.data as Float32Array, [rows, length])],
    ['encoder_buckets', positionBuckets(config, length, length, true)],
  ]);
}

/** The prompt program's results, which every later token reads. */
export function crossCaches(config: T5Config, wires: Wires): Wires {
  return perLayer(config, crossWire, (layer, part) => wireOf(wires, crossWire(layer, part)));
}

/**
 * What the token program reads besides the caches.
 * @param ids the newest ids of each row
 * @param length all ids of each row, the start id and the newest included
 * @param promptMasks the prompt of each row
 */
export function t5TokenWires(
  config: T5Config,
  ids: readonly (readonly number[])[],
  length: number,
  promptMasks: readonly Mask[],
): Map<string, Tensor> {
  const tokens = ids[0]?.length ?? 0;
  const visible = ids.map(() => Array.from({ length }, () => 1));
  return new Map([
    ['decoder_ids', idTensor(ids)],
    ['decoder_buckets', positionBuckets(config, tokens, length, false)],
    ['attention_bias', causalBias(visible, tokens)],
    ['cross_bias', paddingBias(promptMasks, tokens)],
  ]);
}
