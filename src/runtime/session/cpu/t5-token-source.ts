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
export class T5TokenSource implements TokenSource {
  readonly vocabSize: number;
  readonly #encoder: ProgramRunner;
  readonly #decoder: ProgramRunner;
  readonly #config: T5Config;
  readonly #prompt: LanguagePrompt;
  /** Keys and values of the prompts, by picture; `#cross` is the same by row of the newest step. */
  #encoded: Wires = new Map();
  #cross: Wires = new Map();
  /** The picture of each row of the newest step. */
  #pictures: readonly number[] = [];
  #past: Wires = new Map();
  #length = 0;

  constructor(encoder: ProgramRunner, decoder: ProgramRunner, config: T5Config, prompt: LanguagePrompt) {
    this.vocabSize = config.vocabSize;
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.#config = config;
    this.#prompt = prompt;
  }

  async prefill(): Promise<Float32Array> {
    const config = this.#config;
    const wires = await this.#encoder.run(t5PromptWires(config, this.#prompt));
    this.#encoded = crossCaches(config, wires);
    this.#cross = this.#encoded;
    this.#pictures = this.#prompt.textIds.map((_, row) => row);
    this.#past = emptyPast(config, this.#pictures.length);
    this.#length = 0;
    return this.#step(this.#pictures.map(() => config.decoderStartTokenId));
  }

  async advance(ids: readonly number[], parents: readonly number[]): Promise<Float32Array> {
    const pictures = parents.map((parent) => this.#pictures[parent] ?? 0);
    if (pictures.join() !== this.#pictures.join()) this.#cross = selectCacheRows(this.#encoded, pictures);
    this.#pictures = pictures;
    this.#past = selectCacheRows(this.#past, parents);
    return this.#step(ids);
  }

  async #step(ids: readonly number[]): Promise<Float32Array> {
    this.#length++;
    const promptMasks = fullMasks(this.#prompt);
    const masks = this.#pictures.map((picture) => promptMasks[picture] ?? []);
    const rows = ids.map((id) => [id]);
    const given = t5TokenWires(this.#config, rows, this.#length, masks);
    const wires = await this.#decoder.run(new Map([...this.#past, ...this.#cross, ...given]));
    this.#past = pastOf(this.#config, wires);
    return wireOf(wires, 'logits').data as Float32Array;
  }
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
