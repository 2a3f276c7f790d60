/** How many prompts run together, and those that do. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { PromptBatch } from '../text/prompts.js';
import type { PreparedPicture } from './stream-settings.js';

/** The part of the decoder's rows whose prompts run together. */
const RESIDENT_PART = 1 / 4;
/** The same where every run copies weights to the device: a run of prompts takes as long as a token of all rows. */
const STREAMED_PART = 1 / 2;
const LEAST_TOGETHER = 16;

/**
 * Always as many: each number of prompts is a shape of its own, and one prompt at a time would cost a run each. Whole groups fill the
 * rows: what is less than a group would stay empty.
 * @param pictures that are decoded at once
 * @param streamsText whether weights of the language model are copied for every run
 */
export function promptsTogether(pictures: number, streamsText: boolean): number {
  const part = streamsText ? STREAMED_PART : RESIDENT_PART;
  const groups = Math.ceil(pictures / Math.max(LEAST_TOGETHER, Math.ceil(pictures * part)));
  return Math.ceil(pictures / groups);
}

/** Where pictures do not wait for each other: few shapes all the same, each a power of two. */
export function evenCount(most: number): number {
  return most < 1 ? 0 : 2 ** Math.floor(Math.log2(most));
}

export const lengthOf = (picture: { readonly made: PreparedPicture } | undefined): number =>
  picture?.made.prompt.textIds[0]?.length ?? 0;

/** With the rows of the picture. */
export const promptTokens = ({ prompt }: PreparedPicture, { numQueryTokens }: Blip2Config): number =>
  numQueryTokens + (prompt.textIds[0]?.length ?? 0);

/** Prompts of equal length. */
export function joinedPrompts(prompts: readonly PromptBatch[]): PromptBatch {
  return {
    textIds: prompts.flatMap(({ textIds }) => textIds),
    textMask: prompts.flatMap(({ textMask }) => textMask),
    contextIds: prompts.flatMap(({ contextIds }) => contextIds),
  };
}
