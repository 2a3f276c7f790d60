import * as z from 'zod';
import type { StepOptions } from '../../runtime/generation/generation-options.js';
import { badField } from './api-error.js';
import { messageSchema, pictureTurn, type PictureTurn } from './picture-turn.js';
import { samplingFields, stepOptions } from './sampling-fields.js';

/** LM Studio's -1 is no limit. */
const tokenLimit = z.union([z.int().min(1), z.literal(-1).transform(() => null)]).nullish();

const stopText = z.string().min(1).max(256);

const chatSchema = z.object({
  messages: z.array(messageSchema).min(1).max(4096),
  model: z.string().max(512).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: tokenLimit,
  max_completion_tokens: tokenLimit,
  stop: z.union([stopText, z.array(stopText).max(16)]).nullish(),
  response_format: z.object({ type: z.string() }).nullish(),
  tool_choice: z.unknown().optional(),
  ...samplingFields,
});

/** Fields that change nothing here and take nothing from who sends them. */
const WITHOUT_EFFECT =
  /^(user|store|metadata|service_tier|safety_identifier|prompt_cache_\w+|modalities|tools|functions)$/;

/** What is asked of the server, whichever API it was asked through. */
export interface ChatRequest extends PictureTurn {
  /** The API that the answer is written in. */
  readonly api: 'chat' | 'responses';
  readonly generation: StepOptions;
  readonly stop: readonly string[];
  readonly stream: boolean;
  /** Whether the stream ends with the counts of tokens. */
  readonly includeUsage: boolean;
  /** Fields that were not understood, in alphabetical order. */
  readonly ignored: readonly string[];
}

/**
 * @param maxNewTokens that the server has room for: who asks for more, or for no number, gets so many
 * @throws Blip2Error `REQUEST_INVALID`, with the field in `details.param`
 */
export function parseChatRequest(body: unknown, maxNewTokens: number): ChatRequest {
  const parsed = chatSchema.safeParse(body);
  if (!parsed.success) throw invalidField(parsed.error);
  const { data } = parsed;
  const format = data.response_format?.type ?? 'text';
  if (format !== 'text') throw badField('response_format', `answers are text, and no ${format}`);
  const choice = data.tool_choice ?? 'auto';
  if (choice !== 'auto' && choice !== 'none') throw badField('tool_choice', 'the model calls no tools');
  const wanted = data.max_completion_tokens ?? data.max_tokens ?? maxNewTokens;
  return {
    api: 'chat',
    ...pictureTurn(data.messages, 'messages'),
    generation: stepOptions(data, Math.min(wanted, maxNewTokens)),
    stop: typeof data.stop === 'string' ? [data.stop] : (data.stop ?? []),
    stream: data.stream === true,
    includeUsage: data.stream_options?.include_usage === true,
    ignored: ignoredFields(body, chatSchema.shape),
  };
}

/** Fields that a schema does not know. */
export function ignoredFields(body: unknown, known: object): string[] {
  return Object.entries(body ?? {})
    .filter(([field, value]) => value !== null && value !== 0 && !WITHOUT_EFFECT.test(field))
    .map(([field]) => field)
    .filter((field) => !(field in known) && /^\w{1,40}$/.test(field))
    .sort()
    .slice(0, 20);
}

/** The first thing that is wrong, by the path of its field. */
export function invalidField({ issues }: z.ZodError) {
  const [issue] = issues;
  const path = issue?.path.map(String) ?? [];
  const param = path.length === 0 ? 'body' : path.join('.').slice(0, 100);
  // Of a field that may be of several kinds, each has a reason of its own.
  const reasons = issue?.code === 'invalid_union' ? issue.errors.flatMap(([first]) => first?.message ?? []) : [];
  return badField(param, `${param}: ${reasons.length > 0 ? reasons.join(', or ') : (issue?.message ?? 'is invalid')}`);
}
