import { answerText } from './prompts.js';
import type { TextTokenizer } from './tokenizer.js';

/** What a character is decoded to whose bytes are not all there yet. */
const INCOMPLETE = '�';

/** The text of an answer as it grows: the pieces add up to `answerText` of all its ids, unless those end within a character, or in what was to be joined. */
export class AnswerStream {
  readonly #tokenizer: TextTokenizer;
  readonly #ids: number[] = [];
  #given = '';
  #text = '';

  constructor(tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Of all pieces. */
  get text(): string {
    return this.#given;
  }

  /** What an id adds: empty for a special token, and for part of a character. */
  push(id: number): string {
    this.#ids.push(id);
    const text = answerText(this.#ids, this.#tokenizer);
    // What ends an answer adds nothing, and settles all.
    const isSettled = text === this.#text || this.#tokenizer.unsettled?.test(text) !== true;
    this.#text = text;
    if (!isSettled || text.endsWith(INCOMPLETE) || !text.startsWith(this.#given)) return '';
    const added = text.slice(this.#given.length);
    this.#given = text;
    return added;
  }
}
