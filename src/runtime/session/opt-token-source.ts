import { Tensor } from 'onnxruntime-node';
import type { OptConfig } from '../../model/blip2-config.js';
import type { TokenSource } from '../generation/token-source.js';
import { pastWire, presentWire, type CachePart } from '../graph/wires.js';
import { causalBias, positionRows } from './opt-prompt.js';
import type { ProgramRunner, Wires } from './program-runner.js';
import { selectRows } from './select-rows.js';

/** What the language model reads, one row per picture. */
export interface OptPrompt {
  /** The projected pictures, float32 `[rows, numQueryTokens, hiddenSize]`. */
  readonly prefix: Tensor;
  /** Ids after the picture, padded on the left to one length. */
  readonly textIds: readonly (readonly number[])[];
  /** 1 for an id, 0 for padding; shaped as `textIds`. */
  readonly textMask: readonly (readonly number[])[];
}

/** OPT over the sessions of a text program. Keys and values stay in the tensors that the last step returned. */
export class OptTokenSource implements TokenSource {
  readonly vocabSize: number;
  readonly #runner: ProgramRunner;
  readonly #config: OptConfig;
  readonly #prompt: OptPrompt;
  #masks: (readonly number[])[] = [];
  #past = new Map<string, Tensor>();

  constructor(runner: ProgramRunner, config: OptConfig, prompt: OptPrompt) {
    this.vocabSize = config.vocabSize;
    this.#runner = runner;
    this.#config = config;
    this.#prompt = prompt;
  }

  async prefill(): Promise<Float32Array> {
    this.#masks = fullMasks(this.#prompt);
    return this.#run(optPromptWires(this.#config, this.#prompt));
  }

  async advance(ids: readonly number[], parents: readonly number[]): Promise<Float32Array> {
    const kept = parents.length === this.#masks.length && parents.every((parent, row) => parent === row);
    if (!kept) {
      for (const [wire, tensor] of this.#past) this.#past.set(wire, selectRows(tensor, parents));
    }
    this.#masks = parents.map((parent) => [...(this.#masks[parent] ?? []), 1]);
    const prefix = new Tensor('float32', new Float32Array(0), [ids.length, 0, this.#config.hiddenSize]);
    const textIds = ids.map((id) => [id]);
    return this.#run(new Map([...this.#past, ...tokenWires(prefix, textIds, this.#masks)]));
  }

  async #run(given: Wires): Promise<Float32Array> {
    const wires = await this.#runner.run(given);
    this.#past = caches(this.#config, (layer, part) => wireOf(wires, presentWire(layer, part)));
    return wireOf(wires, 'logits').data as Float32Array;
  }
}

/** What the text program reads for whole prompts: their tokens and a past without length. */
export function optPromptWires(config: OptConfig, prompt: OptPrompt): Map<string, Tensor> {
  const shape = [prompt.textIds.length, config.heads, 0, config.hiddenSize / config.heads];
  const empty = caches(config, () => new Tensor('float32', new Float32Array(0), shape));
  return new Map([...empty, ...tokenWires(prompt.prefix, prompt.textIds, fullMasks(prompt))]);
}

/** The picture is always seen. */
function fullMasks({ prefix, textMask }: OptPrompt): number[][] {
  const picture = Array.from({ length: prefix.dims[1] ?? 0 }, () => 1);
  return textMask.map((mask) => [...picture, ...mask]);
}

function tokenWires(
  prefix: Tensor,
  textIds: readonly (readonly number[])[],
  masks: readonly (readonly number[])[],
): Map<string, Tensor> {
  const rows = textIds.length;
  const textTokens = textIds[0]?.length ?? 0;
  const tokens = (prefix.dims[1] ?? 0) + textTokens;
  const length = masks[0]?.length ?? 0;
  return new Map([
    ['prefix', prefix],
    ['input_ids', new Tensor('int64', BigInt64Array.from(textIds.flat(), BigInt), [rows, textTokens])],
    ['positions', new Tensor('int64', positionRows(masks, tokens), [rows, tokens])],
    ['attention_bias', new Tensor('float32', causalBias(masks, tokens), [rows, 1, tokens, length])],
  ]);
}

function caches(config: OptConfig, tensorOf: (layer: number, part: CachePart) => Tensor): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const part of ['key', 'value'] as const) tensors.set(pastWire(layer, part), tensorOf(layer, part));
  }
  return tensors;
}

function wireOf(wires: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = wires.get(name);
  if (tensor === undefined) throw new Error(`the text program made no ${name}`);
  return tensor;
}
