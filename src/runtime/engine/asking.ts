/** From what is asked of pictures to what the models read. */
import { Blip2Error } from '../../errors.js';
import type { Blip2Config } from '../../model/blip2-config.js';
import { mostTokens } from '../../model/language-config.js';
import type { Ask } from './captioner-options.js';
import type { Tokenizers } from './checkpoint-files.js';
import { DEFAULT_NEW_TOKENS, type GenerationOptions } from '../generation/generation-options.js';
import type { WordBatch } from '../session/model/word-wires.js';
import { preparePrompts, promptText, type PromptBatch } from './text/prompts.js';
import { wordBatch } from './text/word-batch.js';

export class Asking {
  readonly #config: Blip2Config;
  readonly #tokenizers: Tokenizers;

  constructor(config: Blip2Config, tokenizers: Tokenizers) {
    this.#config = config;
    this.#tokenizers = tokenizers;
  }

  /** null for a caption without a text. */
  textOf(ask: Ask): string | null {
    return promptText(ask, this.#config);
  }

  /** @throws Blip2Error `PROMPT_INVALID` */
  prompts(texts: readonly (string | null)[]): PromptBatch {
    return preparePrompts(texts, this.#tokenizers.tokenizer, this.#config);
  }

  /** An InstructBLIP's Q-Former reads what its language model is asked. */
  words(texts: readonly (string | null)[]): WordBatch | undefined {
    const { qformer } = this.#config;
    const { wordTokenizer } = this.#tokenizers;
    if (qformer.text === null || wordTokenizer === null) return undefined;
    return wordBatch(
      texts.map((text) => text ?? ''),
      wordTokenizer,
      qformer.text,
    );
  }

  /**
   * A decoder has a row per position and no more: new tokens end with the one after the last position. transformers fails there with an
   * OPT, and goes on with a LLaMA, beyond what that was trained for.
   * @param most tokens that a text may have
   * @throws Blip2Error `PROMPT_TOO_LONG`
   */
  withinPositions(options: GenerationOptions, textTokens: number, most = Infinity): GenerationOptions {
    const { text, numQueryTokens } = this.#config;
    if (textTokens > most) throw tooLong(textTokens, `${most} are taken at most here`, most);
    const together = mostTokens(text);
    if (together === null) return options;
    const room = together - numQueryTokens - textTokens;
    const limit = together - numQueryTokens - 1;
    if (room < 1) throw tooLong(textTokens, `this model takes ${limit} at most`, limit);
    return { ...options, maxNewTokens: Math.min(options.maxNewTokens ?? DEFAULT_NEW_TOKENS, room) };
  }
}

function tooLong(tokens: number, why: string, limit: number): Blip2Error {
  return new Blip2Error('PROMPT_TOO_LONG', `the prompt has ${tokens} tokens; ${why}`, {
    hint: 'Shorten the prompt.',
    details: { tokens, limit },
  });
}
