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
const BACKSLASH = 0x5c;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const SIMPLE_ESCAPES = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }),
);

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

  /** What the next value is, from its first character. */
  kind(): 'object' | 'array' | 'string' | 'number' | 'literal' | 'end' {
    switch (this.#next()) {
      case '{':
        return 'object';
      case '[':
        return 'array';
      case '"':
        return 'string';
      case '':
        return 'end';
      case 't':
      case 'f':
      case 'n':
        return 'literal';
      default:
        return 'number';
    }
  }

  /** Reads an object. `onKey` is called for every key in turn, with escapes decoded, and must consume its value. */
  object(what: string, onKey: (key: string) => void): void {
    this.#expect('object', what);
    this.#enter();
    if (this.#next() !== '}') {
      for (;;) {
        if (this.#next() !== '"') this.fail('expected a key in double quotes');
        const key = this.#string();
        if (this.#next() !== ':') this.fail('expected ":"');
        this.#at++;
        onKey(key);
        if (this.#next() !== ',') break;
        this.#at++;
      }
      if (this.#next() !== '}') this.fail('expected "," or "}"');
    }
    this.#leave();
  }

  /** Reads an array. `onItem` is called before every item and must consume it. */
  array(what: string, onItem: () => void): void {
    this.#expect('array', what);
    this.#enter();
    if (this.#next() !== ']') {
      for (;;) {
        onItem();
        if (this.#next() !== ',') break;
        this.#at++;
      }
      if (this.#next() !== ']') this.fail('expected "," or "]"');
    }
    this.#leave();
  }

  string(what: string): string {
    this.#expect('string', what);
    return this.#string();
  }

  /** Reads a number and returns it as it is written. */
  number(what: string): string {
    this.#expect('number', what);
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.fail('expected a value');
    if (!Number.isFinite(Number(match[0]))) this.fail('number out of range');
    this.#at += match[0].length;
    return match[0];
  }

  /** Reads `null` if it comes next. */
  null(): boolean {
    if (this.#next() !== 'n') return false;
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
        this.number('a value');
        return;
      case 'literal':
        return this.#word(this.#next() === 't' ? 'true' : this.#next() === 'f' ? 'false' : 'null');
      case 'end':
        return this.fail('text ends where a value is expected');
    }
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.#next() !== '') this.fail('trailing characters');
  }

  fail(message: string): never {
    throw new JsonError(message, this.#at);
  }

  #expect(kind: ReturnType<JsonScanner['kind']>, what: string): void {
    const found = this.kind();
    if (found !== kind)
      this.fail(
        `${what}: expected ${kind === 'string' || kind === 'number' ? 'a' : 'an'} ${kind}, found ${found === 'end' ? 'the end' : found}`,
      );
  }

  /** Skips white space; the character that follows, '' at the end. */
  #next(): string {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return this.#text.charAt(this.#at);
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
    const start = ++this.#at;
    const end = this.#plainEnd();
    if (this.#text.charCodeAt(end) === QUOTE) {
      this.#at = end + 1;
      return this.#text.slice(start, end);
    }
    let decoded = '';
    for (;;) {
      const plainEnd = this.#plainEnd();
      decoded += this.#text.slice(this.#at, plainEnd);
      this.#at = plainEnd + 1;
      if (this.#text.charCodeAt(plainEnd) === QUOTE) return decoded;
      decoded += this.#escape();
    }
  }

  /** Index of the next quote or backslash. */
  #plainEnd(): number {
    for (let at = this.#at; at < this.#text.length; at++) {
      const c = this.#text.charCodeAt(at);
      if (c === QUOTE || c === BACKSLASH) return at;
      if (c < 0x20) {
        this.#at = at;
        this.fail('control character inside a string');
      }
    }
    return this.fail('text ends inside a string');
  }

  /** From the character after the backslash on. */
  #escape(): string {
    const letter = this.#text.charAt(this.#at++);
    const simple = SIMPLE_ESCAPES.get(letter);
    if (simple !== undefined) return simple;
    if (letter !== 'u') this.fail('invalid escape');
    const unit = this.#hex4();
    if (unit >= 0xdc00 && unit <= 0xdfff) this.fail('lone surrogate in an escape');
    if (unit < 0xd800 || unit > 0xdbff) return String.fromCharCode(unit);
    if (!this.#text.startsWith('\\u', this.#at)) this.fail('lone surrogate in an escape');
    this.#at += 2;
    const low = this.#hex4();
    if (low < 0xdc00 || low > 0xdfff) this.fail('lone surrogate in an escape');
    return String.fromCharCode(unit, low);
  }

  #hex4(): number {
    HEX4.lastIndex = this.#at;
    const match = HEX4.exec(this.#text);
    if (match === null) this.fail('invalid escape');
    this.#at += 4;
    return Number.parseInt(match[0], 16);
  }
}
