/** Ends an answer before the first of some texts, however they are cut into pieces. */
export class StopTexts {
  readonly #stops: readonly string[];
  #held = '';
  #given = '';
  #isOver = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** What was given so far. */
  get text(): string {
    return this.#given;
  }

  /** @returns what can be given now: what may be the beginning of one of them waits */
  push(piece: string): string {
    if (this.#isOver) return '';
    const text = this.#held + piece;
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at !== -1);
    this.#isOver = found.length > 0;
    return this.#give(text, this.#isOver ? Math.min(...found) : text.length - this.#beginningAtEnd(text));
  }

  /** @returns what waited, once no more will come */
  end(): string {
    return this.#isOver ? '' : this.#give(this.#held, this.#held.length);
  }

  #give(text: string, length: number): string {
    this.#held = text.slice(length);
    this.#given += text.slice(0, length);
    return text.slice(0, length);
  }

  /** The length of the longest end of a text that one of them begins with. */
  #beginningAtEnd(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      if (this.#stops.some((stop) => stop.startsWith(text.slice(-length)))) return length;
    }
    return 0;
  }
}
