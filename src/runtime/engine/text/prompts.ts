/**
 * From what a person asks to the ids that follow the picture: `<image>` x numQueryTokens, then these.
 *
 * The placeholders never become embeddings: the model concatenates the projected rows of the picture with the embedded
 * text, which is what filling in placeholders comes to, and works for files from before there were placeholders.
 */
import { Blip2Error } from '../../../errors.js';
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { Ask } from '../captioner-options.js';
import type { TextTokenizer } from './tokenizer.js';

export interface PromptBatch {
  /**
   * Ids after the picture, padded to one length: OPT between picture and text, where padding does not shift positions,
   * T5 on the right, because its positions count every slot.
   */
  readonly textIds: readonly (readonly number[])[];
  /** 1 for an id, 0 for padding; shaped as `textIds`. */
  readonly textMask: readonly (readonly number[])[];
  /** Per picture, the unpadded ids that generation starts from: placeholders and prompt for OPT, the start id for T5. */
  readonly contextIds: readonly (readonly number[])[];
}

/** The question format that BLIP-2 was evaluated with. */
export function questionPrompt(question: string): string {
  return `Question: ${question} Answer:`;
}

/** What InstructBLIP is told where nothing is asked: it has no captions without an instruction. From its paper. */
const CAPTION_INSTRUCTION = 'A short image description:';

/** The text that an ask comes to, or null for a caption without one. InstructBLIP is asked plainly, without a format. */
export function promptText({ question, prompt }: Ask, { qformer }: Blip2Config): string | null {
  if (qformer.text !== null) return question ?? prompt ?? CAPTION_INSTRUCTION;
  return question === undefined ? (prompt ?? null) : questionPrompt(question);
}

/**
 * @param prompts one per picture; null captions without a prompt
 * @throws Blip2Error `PROMPT_INVALID` where a prompt holds the picture's placeholder or ids that the model lacks, or becomes none
 */
export function preparePrompts(
  prompts: readonly (string | null)[],
  tokenizer: TextTokenizer,
  config: Blip2Config,
): PromptBatch {
  const { text, imageTokenId, numQueryTokens } = config;
  const ids = prompts.map((prompt) => promptIds(prompt, tokenizer, config));
  const width = Math.max(0, ...ids.map((row) => row.length));
  const pad = (row: readonly number[], fill: number): number[] => {
    const padding = Array<number>(width - row.length).fill(fill);
    return text.family === 't5' ? [...row, ...padding] : [...padding, ...row];
  };
  const placeholders = imageTokenId === null ? [] : Array<number>(numQueryTokens).fill(imageTokenId);
  return {
    textIds: ids.map((row) => pad(row, text.padTokenId)),
    textMask: ids.map((row) => pad(Array<number>(row.length).fill(1), 0)),
    contextIds: ids.map((row) => (text.family === 't5' ? [text.decoderStartTokenId] : placeholders.concat(row))),
  };
}

function promptIds(prompt: string | null, tokenizer: TextTokenizer, config: Blip2Config): number[] {
  const { text, imageTokenId } = config;
  // Without a prompt the text is the language model's BOS alone, which for BLIP-2's T5 is `</s>`.
  if (prompt === null) return [text.bosTokenId];
  // What begins a prompt is the tokenizer's to say: Vicuna's in InstructBLIP puts 2 (`</s>`) in front, and text_config says 0.
  const encoded = tokenizer.encode(prompt);
  // Padding stands between picture and text: of a row without text it would be what the next token follows.
  if (encoded.length === 0) {
    throw new Blip2Error('PROMPT_INVALID', `the prompt ${JSON.stringify(prompt)} becomes no tokens`, {
      hint: 'Ask without a prompt, or for something.',
    });
  }
  const wrong = encoded.find((id) => id === imageTokenId || id >= text.vocabSize);
  if (wrong === undefined) return encoded;
  throw new Blip2Error(
    'PROMPT_INVALID',
    wrong === imageTokenId
      ? `the prompt ${JSON.stringify(prompt)} holds the placeholder of the picture (id ${wrong}), which is put in front of it`
      : `the prompt ${JSON.stringify(prompt)} has id ${wrong}, and the model's vocabulary ends at ${text.vocabSize - 1}`,
    { hint: wrong === imageTokenId ? 'Leave "<image>" out of the prompt.' : 'Use the tokenizer of this checkpoint.' },
  );
}

/** The answer: text of the new ids, special tokens left out, without what Python's `strip` takes for white space around it. */
export function answerText(newIds: readonly number[], tokenizer: TextTokenizer): string {
  const text = tokenizer.decode(newIds);
  let [begin, end] = [0, text.length];
  while (begin < end && isSpace(text.charAt(begin))) begin++;
  while (end > begin && isSpace(text.charAt(end - 1))) end--;
  return text.slice(begin, end);
}

const isSpace = (letter: string): boolean =>
  /\p{White_Space}/u.test(letter) || (letter >= '\u001c' && letter <= '\u001f');
