import { writeOut } from '../common/write-out.js';

/** Tabs and line breaks become blanks, so that a line stays an answer. */
export const inOneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');

/** A line on stdout that is written while it is made. */
export class StreamedLine {
  readonly #name: string | undefined;
  #written = '';

  /** @param name stands before the answer, where there are several pictures */
  constructor(name: string | undefined) {
    this.#name = name;
  }

  async add(text: string): Promise<void> {
    if (text === '') return;
    const named = this.#written === '' && this.#name !== undefined ? `${this.#name}\t` : '';
    const added = named + inOneLine(text);
    this.#written += added;
    await writeOut(added);
  }

  /** Writes what is missing of the whole line. */
  async end(line: string): Promise<void> {
    await writeOut(line.startsWith(this.#written) ? line.slice(this.#written.length) : '\n');
  }
}
