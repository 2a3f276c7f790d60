/** Answers in the form of OpenAI's chat completions, whole and in pieces. */
import { randomUUID } from 'node:crypto';

export type FinishReason = 'stop' | 'length';

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export function usageOf(promptTokens: number, completionTokens: number): Usage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** One answer: what all that is said of it has in common. */
export class ChatAnswer {
  readonly #head: { readonly id: string; readonly created: number; readonly model: string };

  constructor(model: string) {
    this.#head = { id: `chatcmpl-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
  }

  whole(content: string, finish: FinishReason, usage: Usage) {
    const message = { role: 'assistant', content, refusal: null };
    return {
      ...this.#head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
      usage,
    };
  }

  /** @param delta what is new, the role in the first of all */
  piece(delta: { readonly role?: 'assistant'; readonly content?: string }, finish: FinishReason | null = null) {
    return {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    };
  }

  /** The last piece, for who asks for it. */
  counts(usage: Usage) {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage };
  }
}
