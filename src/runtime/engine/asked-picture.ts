import { Blip2Error } from '../../errors.js';
import type { AskedPicture } from './caption-worker.js';
import type { Ask, Picture } from './captioner-options.js';
import type { FetchOptions } from '../image/fetch-picture.js';
import { localPicture } from '../image/picture-source.js';

export async function askedPicture(picture: Picture, ask: Ask, fetching: FetchOptions): Promise<AskedPicture> {
  if (typeof picture !== 'object' || !('image' in picture))
    return { image: await localPicture(picture, fetching), ask };
  const { image, randomStream, ...own } = picture;
  const asks = own.question !== undefined || own.prompt !== undefined;
  return {
    image: await localPicture(image, fetching),
    ask: asks ? askOf(own) : ask,
    ...(randomStream === undefined ? {} : { randomStream }),
  };
}

/** @throws Blip2Error `OPTION_INVALID` where both are given: which one counts cannot be known; `PROMPT_INVALID` for a question without a word. */
export function askOf({ question, prompt }: { question?: string | undefined; prompt?: string | undefined }): Ask {
  if (question !== undefined && prompt !== undefined) {
    throw new Blip2Error('OPTION_INVALID', 'a picture has a question and a prompt; only one of them can be asked');
  }
  if (question?.trim() === '') throw new Blip2Error('PROMPT_INVALID', 'the question is empty');
  if (question !== undefined) return { question };
  return prompt === undefined ? {} : { prompt };
}
