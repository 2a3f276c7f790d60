/** How many prompts run together, and those that do. */
import type { TextConfig } from '../../../model/language-config.js';
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

interface Prompted {
  readonly made: Pick<PreparedPicture, 'prompt'>;
}

const lengthOf = (picture: Prompted | undefined): number => picture?.made.prompt.textIds[0]?.length ?? 0;

/** With the rows of the picture. */
export const promptTokens = ({ prompt }: PreparedPicture, { numQueryTokens }: Blip2Config): number =>
  numQueryTokens + (prompt.textIds[0]?.length ?? 0);

/**
 * Those of the waiting pictures whose prompts can run together with the first one's: T5's are padded on the right, others have no
 * padding and are as long.
 */
export function joining<Picture extends Prompted>(
  waiting: readonly Picture[],
  { family }: Pick<TextConfig, 'family'>,
): readonly Picture[] {
  const length = lengthOf(waiting[0]);
  return family === 't5' ? waiting : waiting.filter((picture) => lengthOf(picture) === length);
}

/** All as long as the longest, those of T5 by padding on the right. */
export function joinedPrompts(prompts: readonly PromptBatch[], padTokenId: number): PromptBatch {
  const texts = prompts.flatMap(({ textIds }) => textIds);
  const masks = prompts.flatMap(({ textMask }) => textMask);
  const longest = Math.max(...texts.map(({ length }) => length));
  const padded = (row: readonly number[], fill: number) => [...row, ...Array<number>(longest - row.length).fill(fill)];
  return {
    textIds: texts.map((row) => padded(row, padTokenId)),
    textMask: masks.map((row) => padded(row, 0)),
    contextIds: prompts.flatMap(({ contextIds }) => contextIds),
  };
}
