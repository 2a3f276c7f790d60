import type { Blip2Config, Workload } from '../../src/planner/index.js';
import type { Checkpoint } from '../../src/loader/index.js';
import type { Ask, GenerationOptions } from '../../src/runtime/index.js';
import { isRetrieval, parseModelConfig } from '../../src/model/blip2-config.js';
import { mostTokens } from '../../src/model/language-config.js';
import { readPromptTokenizer } from '../../src/runtime/engine/checkpoint-files.js';
import { resolveGenerationOptions, sequencesAtOnce } from '../../src/runtime/generation/generation-options.js';
import { preparePrompts, promptText } from '../../src/runtime/engine/text/prompts.js';

/**
 * What a run asks of a plan: beams and lengths. Prompts are counted by the checkpoint's own tokenizer.
 * @param mostTextTokens of texts that are not known yet
 */
export async function planWorkload(
  checkpoint: Checkpoint,
  ask: Ask,
  generation: GenerationOptions,
  mostTextTokens = 0,
): Promise<Partial<Workload>> {
  const config = parseModelConfig(checkpoint.config);
  if (isRetrieval(config)) return {};
  const limit = mostTokens(config.text) ?? Infinity;
  const asked = await textTokens(checkpoint, promptText(ask, config), config);
  const promptTokens = Math.max(
    config.numQueryTokens + asked,
    Math.min(config.numQueryTokens + mostTextTokens, limit - 1),
  );
  // Captions end where the model's positions do, however many tokens are asked for.
  const room = limit - promptTokens;
  return {
    beams: sequencesAtOnce(resolveGenerationOptions(generation, config.text).strategy),
    promptTokens,
    ...(generation.maxNewTokens === undefined
      ? {}
      : { newTokens: Math.min(generation.maxNewTokens, Math.max(1, room)) }),
  };
}

/** A caption without a prompt starts from one token, whatever the tokenizer: the process that captions reads that. */
async function textTokens({ folder }: Checkpoint, prompt: string | null, config: Blip2Config): Promise<number> {
  if (prompt === null) return 1;
  const { textIds } = preparePrompts([prompt], (await readPromptTokenizer(folder, config))(), config);
  return textIds[0]?.length ?? 0;
}
