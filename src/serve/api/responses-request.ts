import * as z from 'zod';
import { badField } from './api-error.js';
import { ignoredFields, invalidField, type ChatRequest } from './chat-request.js';
import { messageSchema, pictureTurn } from './picture-turn.js';
import { samplingFields, stepOptions } from './sampling-fields.js';

const responsesSchema = z.object({
  input: z.array(messageSchema).min(1).max(4096),
  model: z.string().max(512).nullish(),
  stream: z.boolean().nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  text: z.object({ format: z.object({ type: z.string() }).nullish() }).nullish(),
  previous_response_id: z.string().nullish(),
  instructions: z.string().nullish(),
  ...samplingFields,
});

/**
 * A request of OpenAI's Responses API, as far as captions need it: nothing is kept, and nothing streamed.
 * @param maxNewTokens as for `parseChatRequest`
 * @throws Blip2Error `REQUEST_INVALID`, with the field in `details.param`
 */
export function parseResponsesRequest(body: unknown, maxNewTokens: number): ChatRequest {
  const parsed = responsesSchema.safeParse(body);
  if (!parsed.success) throw invalidField(parsed.error);
  const { data } = parsed;
  const format = data.text?.format?.type ?? 'text';
  if (format !== 'text') throw badField('text.format', `answers are text, and no ${format}`);
  if (data.stream === true) throw badField('stream', 'responses are not streamed here', 'Chat completions are.');
  if (data.previous_response_id != null) throw badField('previous_response_id', 'no response is kept here');
  return {
    api: 'responses',
    ...pictureTurn(data.input, 'input'),
    generation: stepOptions(data, Math.min(data.max_output_tokens ?? maxNewTokens, maxNewTokens)),
    stop: [],
    stream: false,
    includeUsage: false,
    ignored: ignoredFields(body, responsesSchema.shape),
  };
}
