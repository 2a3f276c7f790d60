import { Tensor } from 'onnxruntime-node';
import type { DecoderOnlyConfig } from '../../../model/language-config.js';
import type { TokenSource } from '../../generation/token-source.js';
import { causalBias, type Mask } from '../model/attention-bias.js';
import { emptyPast, pastOf, selectCacheRows, wireOf, type Wires } from '../model/kv-cache.js';
import { fullMasks, idTensor, type LanguagePrompt } from '../model/language-prompt.js';
import type { ProgramRunner } from './program-runner.js';

/** OPT or LLaMA over the sessions of its token program: the same graph reads the prompt and then one id per row. */
export function decoderTokenSource(
  runner: ProgramRunner,
  config: DecoderOnlyConfig,
  prompt: LanguagePrompt,
): TokenSource {
  let masks: readonly Mask[] = [];
  let past: Wires = new Map();
  const run = async (given: Wires): Promise<Float32Array> => {
    const wires = await runner.run(given);
    past = pastOf(config, wires);
    return wireOf(wires, 'logits').data as Float32Array;
  };
  return {
    vocabSize: config.vocabSize,
    prefill() {
      masks = fullMasks(prompt);
      return run(decoderPromptWires(config, prompt));
    },
    advance(ids, parents) {
      masks = parents.map((parent) => [...(masks[parent] ?? []), 1]);
      const prefix = new Tensor('float32', new Float32Array(0), [ids.length, 0, config.hiddenSize]);
      const textIds = ids.map((id) => [id]);
      return run(new Map([...selectCacheRows(past, parents), ...tokenWires(config, prefix, textIds, masks)]));
    },
  };
}

/** What the token program reads for whole prompts: their tokens and a past without length. */
export function decoderPromptWires(config: DecoderOnlyConfig, prompt: LanguagePrompt): Map<string, Tensor> {
  const tokens = tokenWires(config, prompt.prefix, prompt.textIds, fullMasks(prompt));
  return new Map([...emptyPast(config, prompt.textIds.length), ...tokens]);
}

function tokenWires(
  { family }: DecoderOnlyConfig,
  prefix: Tensor,
  ids: readonly (readonly number[])[],
  masks: readonly Mask[],
): Map<string, Tensor> {
  const tokens = (prefix.dims[1] ?? 0) + (ids[0]?.length ?? 0);
  return new Map([
    ['prefix', prefix],
    ['input_ids', idTensor(ids)],
    ['positions', decoderPositions(family, masks, tokens)],
    ['attention_bias', causalBias(masks, tokens)],
  ]);
}

/** The position of a first token: OPT's table starts at row 2. */
const FIRST_POSITION = { opt: 2, llama: 0 } as const;

/**
 * Positions of the last `tokens` of each row, int64 `[rows, tokens]`. Padding does not advance the count; what it gets
 * itself, nobody sees.
 */
function decoderPositions(family: DecoderOnlyConfig['family'], masks: readonly Mask[], tokens: number): Tensor {
  const first = FIRST_POSITION[family];
  const positions = new BigInt64Array(masks.length * tokens);
  masks.forEach((mask, row) => {
    const skipped = mask.length - tokens;
    let seen = 0;
    mask.forEach((visible, index) => {
      seen += visible;
      if (index >= skipped) positions[row * tokens + index - skipped] = BigInt(first + Math.max(seen - 1, 0));
    });
  });
  return new Tensor('int64', positions, [masks.length, tokens]);
}
