/** From a conversation to what a model reads that answers one question about one picture. */
import * as z from 'zod';
import { badField } from './api-error.js';

const pictureUrl = z.union([z.string(), z.object({ url: z.string() }).transform(({ url }) => url)]);

const part = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['text', 'input_text', 'output_text']), text: z.string() }),
  z.object({ type: z.enum(['image_url', 'input_image']), image_url: pictureUrl }),
]);

const content = z.preprocess(
  (given) => (typeof given === 'string' ? [{ type: 'text', text: given }] : (given ?? [])),
  z.array(part).max(4096),
);

/** Of a conversation, as chat completions and responses write it. */
export const messageSchema = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content,
  /** Beside the content, as text-generation-webui takes it. */
  image_url: pictureUrl.optional(),
});

export type Message = z.infer<typeof messageSchema>;

export interface PictureTurn {
  /** As it was given. */
  readonly url: string;
  /** Empty for a caption. */
  readonly text: string;
}

/**
 * The last turn of the user, and its picture, or the last one before it. What the system and the assistant have said is left
 * out: the model has no place for it.
 * @throws Blip2Error `REQUEST_INVALID`
 */
export function pictureTurn(messages: readonly Message[], param: string): PictureTurn {
  const last = messages.findLastIndex(({ role }) => role === 'user');
  if (last === -1) throw badField(param, 'there is no message of a user');
  const isOther = ({ role }: Message): boolean => role !== 'user';
  const before = messages.slice(0, last).findLastIndex(isOther);
  const turn = messages.slice(before + 1, last + 1);
  const text = turn.flatMap(textsOf).join('\n').trim();
  const [url, ...others] = turn.flatMap(picturesOf);
  if (others.length > 0) {
    throw badField(param, `the message has ${others.length + 1} pictures`, 'Ask about one picture at a time.');
  }
  const earlier = messages.slice(0, before + 1).filter(({ role }) => role === 'user');
  const found = url ?? earlier.flatMap(picturesOf).at(-1);
  if (found === undefined) {
    throw badField(param, 'there is no picture in the messages', 'Send one as an image_url with a data: URL.');
  }
  return { url: found, text };
}

const textsOf = ({ content: parts }: Message): string[] =>
  parts.flatMap((each) => ('text' in each && each.text.trim() !== '' ? [each.text] : []));

const picturesOf = ({ content: parts, image_url: beside }: Message): string[] => [
  ...parts.flatMap((each) => ('image_url' in each ? [each.image_url] : [])),
  ...(beside === undefined ? [] : [beside]),
];
