import { randomUUID } from 'node:crypto';
import type { FinishReason, Usage } from './chat-answer.js';

/** An answer in the form of OpenAI's Responses API. */
export function responsesAnswer(model: string, text: string, finish: FinishReason, usage: Usage) {
  const status = finish === 'stop' ? 'completed' : 'incomplete';
  const content = [{ type: 'output_text', text, annotations: [] }];
  return {
    id: `resp_${randomUUID()}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model,
    status,
    error: null,
    incomplete_details: finish === 'stop' ? null : { reason: 'max_output_tokens' },
    output: [{ type: 'message', id: `msg_${randomUUID()}`, status, role: 'assistant', content }],
    usage: {
      input_tokens: usage.prompt_tokens,
      output_tokens: usage.completion_tokens,
      total_tokens: usage.total_tokens,
    },
  };
}
