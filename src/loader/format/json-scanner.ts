/**
 * A pull parser for JSON text, as strict as serde_json, which the reference reader uses.
 *
 * `JSON.parse` cannot stand in for it: it keeps the last of two equal keys, reads `2.0` as an integer, rounds integers
 * above 2^53, accepts lone surrogates and any depth of nesting. Here the caller walks the document value by value and
 * sees every key, every number as it is written.
 */

/** serde_json's recursion limit is 128, and it refuses to enter the 128th level. */
const MAX_DEPTH = 127;

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Surrogates that are a pair are one character to it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The text is not JSON, or not the JSON that the caller asked for. `at` is an index into the text. */
export class JsonError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} at character ${at}`);
    this.name = 'JsonError';
    this.at = at;
  }
}

export class JsonScanner {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where it stands in the text: after `kind`, at the first character of the next value. */
  get at(): number {
    return this.#at;
  }

  /** What the next value is, from its first character. */
  kind(): 'object' | 'array' | 'string' | 'number' | 'literal' | 'end' {
    switch (this.#next()) {
      case OPEN_BRACE:
        return 'object';
      case OPEN_BRACKET:
        return 'array';
      case QUOTE:
        return 'string';
      case 0x74:
      case 0x66:
      case 0x6e:
        return 'literal';
      default:
        return this.#at < this.#text.length ? 'number' : 'end';
    }
  }

  /** Reads an object. `onKey` is called for every key in turn, with escapes decoded, and must consume its value. */
  object(what: string, onKey: (key: string) => void): void {
    if (this.#next() !== OPEN_BRACE) this.#mismatch(what, 'an object');
    this.#enter();
    if (this.#next() !== CLOSE_BRACE) {
      for (;;) {
        if (this.#next() !== QUOTE) this.fail('expected a key in double quotes');
        const key = this.#string();
        if (this.#next() !== COLON) this.fail('expected ":"');
        this.#at++;
        onKey(key);
        if (this.#next() !== COMMA) break;
        this.#at++;
      }
      if (this.#next() !== CLOSE_BRACE) this.fail('expected "," or "}"');
    }
    this.#leave();
  }

  /** Reads an array. `onItem` is called before every item and must consume it. */
  array(what: string, onItem: () => void): void {
    if (this.#next() !== OPEN_BRACKET) this.#mismatch(what, 'an array');
    this.#enter();
    if (this.#next() !== CLOSE_BRACKET) {
      for (;;) {
        onItem();
        if (this.#next() !== COMMA) break;
        this.#at++;
      }
      if (this.#next() !== CLOSE_BRACKET) this.fail('expected "," or "]"');
    }
    this.#leave();
  }

  string(what: string): string {
    if (this.#next() !== QUOTE) this.#mismatch(what, 'a string');
    return this.#string();
  }

  /** Reads a number and returns it as it is written. */
  number(what: string): string {
    if (this.kind() !== 'number') this.#mismatch(what, 'a number');
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.fail('expected a value');
    if (!Number.isFinite(Number(match[0]))) this.fail('number out of range');
    this.#at += match[0].length;
    return match[0];
  }

  /**
   * Reads a number that is an integer without sign, fraction or exponent, and has at most 15 digits; undefined, with
   * nothing read, where the next value is anything else. The fast way for what headers are full of.
   */
  shortInteger(): number | undefined {
    const start = this.#skipSpace();
    let value = 0;
    for (let at = start; ; at++) {
      const c = this.#text.charCodeAt(at);
      if (c >= ZERO && c <= NINE) {
        value = value * 10 + (c - ZERO);
        continue;
      }
      const digits = at - start;
      const leadingZero = digits > 1 && this.#text.charCodeAt(start) === ZERO;
      const ends = c === COMMA || c === CLOSE_BRACKET;
      if (!ends || digits === 0 || digits > 15 || leadingZero) return undefined;
      this.#at = at;
      return value;
    }
  }

  /** Reads `null` if it comes next. */
  null(): boolean {
    if (!this.#text.startsWith('n', this.#skipSpace())) return false;
    this.#word('null');
    return true;
  }

  /** Reads any one value and forgets it. */
  skip(): void {
    switch (this.kind()) {
      case 'object':
        return this.object('', () => this.skip());
      case 'array':
        return this.array('', () => this.skip());
      case 'string':
        this.#string();
        return;
      case 'number':
        this.number('');
        return;
      case 'literal':
        return this.#word(this.#next() === 0x74 ? 'true' : this.#next() === 0x66 ? 'false' : 'null');
      case 'end':
        return this.fail('text ends where a value is expected');
    }
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.kind() !== 'end') this.fail('trailing characters');
  }

  fail(message: string): never {
    throw new JsonError(message, this.#at);
  }

  #mismatch(what: string, expected: string): never {
    const found = this.kind();
    return this.fail(`${what}: expected ${expected}, found ${found === 'end' ? 'the end of the text' : found}`);
  }

  /** Skips white space; the code of the character that follows, NaN at the end. */
  #next(): number {
    return this.#text.charCodeAt(this.#skipSpace());
  }

  #skipSpace(): number {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return this.#at;
      this.#at++;
    }
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} levels`);
    this.#at++;
  }

  #leave(): void {
    this.#depth--;
    this.#at++;
  }

  #word(word: string): void {
    if (!this.#text.startsWith(word, this.#at)) this.fail('expected a value');
    this.#at += word.length;
  }

  /** From the opening quote on. */
  #string(): string {
    const start = this.#at;
    let escaped = false;
    for (let at = start + 1; at < this.#text.length; at++) {
      const c = this.#text.charCodeAt(at);
      if (c === QUOTE) {
        this.#at = at + 1;
        return escaped ? this.#decoded(start) : this.#text.slice(start + 1, at);
      }
      if (c < 0x20) {
        this.#at = at;
        this.fail('control character inside a string');
      }
      if (c !== BACKSLASH) continue;
      escaped = true;
      at++;
    }
    return this.fail('text ends inside a string');
  }

  /** The string that has just been read, from its opening quote at `start` on, with its escapes decoded. */
  #decoded(start: number): string {
    let decoded: unknown;
    try {
      decoded = JSON.parse(this.#text.slice(start, this.#at));
    } catch {
      // Said below.
    }
    // The text has no lone surrogate, for it was UTF-8; an escape that JSON.parse takes may be one.
    if (typeof decoded === 'string' && !LONE_SURROGATE.test(decoded)) return decoded;
    this.#at = start;
    return this.fail('invalid escape in a string');
  }
}
