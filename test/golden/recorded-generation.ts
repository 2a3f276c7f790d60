/** The recorded generation settings of a checkpoint, as `generate` takes them, and the ids that transformers gave. */
import type { Blip2Config } from '../../src/model/blip2-config.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import type { GenerationRequest } from '../../src/runtime/generation/generation-request.js';
import type { LanguagePrompt } from '../../src/runtime/session/model/language-prompt.js';
import { rowsOf, tensorOf, type Recording } from './golden.js';

export interface RecordedGeneration {
  readonly prompt: LanguagePrompt;
  readonly request: GenerationRequest;
  readonly settings: readonly {
    readonly name: string;
    readonly options: GenerationOptions;
    /** New ids of each picture, up to and with the one that ends it. */
    readonly ids: readonly (readonly number[])[];
  }[];
}

export function recordedGeneration({ text, numQueryTokens }: Blip2Config, recording: Recording): RecordedGeneration {
  const { tensors, answers } = recording;
  const inputs = rowsOf(tensorOf(tensors, 'input_ids'));
  const masks = rowsOf(tensorOf(tensors, 'attention_mask'));
  const contextIds = inputs.map((row, picture) =>
    text.family === 't5' ? [text.decoderStartTokenId] : row.filter((_, i) => masks[picture]?.[i] === 1),
  );
  const settings = Object.entries(answers).map(([name, { options, ids }]) => ({
    name,
    options: camel(options),
    ids: ids.map((row, picture) => {
      const fresh = row.slice(text.family === 't5' ? 1 : inputs[picture]?.length);
      const end = fresh.findIndex((id) => text.eosTokenIds.includes(id));
      return end < 0 ? fresh : fresh.slice(0, end + 1);
    }),
  }));
  return {
    prompt: {
      prefix: tensorOf(tensors, 'language_input'),
      textIds: inputs.map((row) => row.slice(numQueryTokens)),
      textMask: masks.map((row) => row.slice(numQueryTokens)),
    },
    request: { contextIds, eosTokenIds: text.eosTokenIds },
    settings,
  };
}

/** `min_new_tokens` to `minNewTokens`. */
const camel = (options: object): GenerationOptions =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]: [string, unknown]) => [
      name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
