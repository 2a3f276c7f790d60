import type { ServerResponse } from 'node:http';
import { Blip2Error } from '../errors.js';
import type { AnswerToken, Ask, Caption } from '../runtime/engine/captioner-options.js';
import type { CaptionRequest } from '../runtime/captioner/service/caption-service.js';
import type { Admitted } from './admission.js';
import { ChatAnswer, usageOf } from './api/chat-answer.js';
import type { ChatRequest } from './api/chat-request.js';
import { responsesAnswer } from './api/responses-answer.js';
import { StopTexts } from './api/stop-texts.js';
import { EventStream } from './http/event-stream.js';
import { sendJson } from './http/send.js';
import { pictureOfUrl, type FetchRules } from './picture-of-url.js';

/** What a request's text is to the model: what it goes on from, a question, or nothing. */
export type TextUse = 'prompt' | 'question' | 'none';

export interface ChatContext {
  readonly modelName: string;
  readonly textUse: TextUse;
  readonly fetching: FetchRules;
  readonly caption: (request: CaptionRequest) => Promise<Caption>;
  readonly onFirstToken: () => void;
}

/**
 * Answers a request, whole or in pieces.
 * @param signal ends the work; nothing is answered then
 * @throws Blip2Error as `pictureOfUrl` and `CaptionService.caption`; the signal's reason
 */
export async function answerChat(
  chat: ChatRequest,
  response: ServerResponse,
  place: Admitted,
  signal: AbortSignal,
  context: ChatContext,
): Promise<Caption> {
  const image = await pictureOfUrl(chat.url, context.fetching, signal);
  place.keep(image.length);
  const answer = new ChatAnswer(context.modelName);
  const stops = new StopTexts(chat.stop);
  const events = chat.stream ? new EventStream(response) : null;
  if (chat.ignored.length > 0) response.setHeader('x-ignored-fields', chat.ignored.join(', '));

  let told = 0;
  const tell = (piece: string): void => {
    if (told === 0) events?.send(answer.piece({ role: 'assistant', content: '' }));
    told += piece.length;
    const content = stops.push(piece);
    if (content !== '') events?.send(answer.piece({ content }));
  };
  let isFirst = true;
  const onToken = ({ text }: AnswerToken): void => {
    if (isFirst) context.onFirstToken();
    isFirst = false;
    if (text !== '' && !signal.aborted) tell(text);
  };
  const caption = await context.caption({
    image,
    ask: askOf(chat.text, context.textUse),
    generation: chat.generation,
    // With a seed, the same request draws alike whenever it comes.
    ...('seed' in chat.generation ? { randomStream: 0 } : {}),
    ...(chat.stop.length > 0 ? { stopTexts: chat.stop } : {}),
    ...(events === null ? {} : { onToken }),
    signal,
  });
  const [sequence] = caption.answers;
  if (sequence === undefined) throw new Blip2Error('UNEXPECTED', 'a caption without an answer');
  // All of it where nothing was told, and a last character that never became whole.
  tell(caption.text.slice(told));
  const rest = stops.end();
  const usage = usageOf(caption.promptTokens, sequence.ids.length);
  if (events === null) {
    const whole =
      chat.api === 'chat'
        ? answer.whole(stops.text, sequence.finish, usage)
        : responsesAnswer(context.modelName, stops.text, sequence.finish, usage);
    sendJson(response, 200, whole);
    return caption;
  }
  if (rest !== '') events.send(answer.piece({ content: rest }));
  events.send(answer.piece({}, sequence.finish));
  if (chat.includeUsage) events.send(answer.counts(usage));
  events.end();
  return caption;
}

function askOf(text: string, use: TextUse): Ask {
  if (text === '' || use === 'none') return {};
  return use === 'question' ? { question: text } : { prompt: text };
}
