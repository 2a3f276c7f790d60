/**
 * What SentencePiece makes of characters before it cuts a text (`precompiled_charsmap` in `tokenizer.json`, T5's normalizer):
 * a trie of UTF-8 sequences as a double array, then the texts that replace them. @huggingface/tokenizers 0.2 does not read it
 * and takes NFKC with a list of spaces in its place, so that "\r\n" is two spaces where transformers has one
 * (`findings/tokenizers-js-own-charsmap.sh`).
 */
export class PrecompiledCharsmap {
  readonly #units: Uint32Array;
  /** UTF-8, each text ended by 0. */
  readonly #texts: Uint8Array;

  /** @throws Error for bytes that are not a trie with texts behind it */
  constructor(charsmap: Uint8Array) {
    const view = new DataView(charsmap.buffer, charsmap.byteOffset, charsmap.byteLength);
    const trieBytes = charsmap.byteLength < 4 ? 0 : view.getUint32(0, true);
    if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > charsmap.byteLength)
      throw new Error(`its precompiled_charsmap has ${charsmap.byteLength} bytes for a trie of ${trieBytes}`);
    this.#units = Uint32Array.from({ length: trieBytes / 4 }, (_, unit) => view.getUint32(4 + 4 * unit, true));
    this.#texts = charsmap.subarray(4 + trieBytes);
  }

  /**
   * As tokenizers 0.23: a grapheme of less than 6 bytes becomes what its shortest known start stands for, and so loses
   * what follows that start; other graphemes change character by character.
   */
  normalize(text: string): string {
    let normalized = '';
    for (const { segment } of GRAPHEMES.segment(text)) {
      const whole = UTF8.encode(segment).length < 6 ? this.#replaced(segment) : undefined;
      if (whole !== undefined) normalized += whole;
      else for (const character of segment) normalized += this.#replaced(character) ?? character;
    }
    return normalized;
  }

  #replaced(text: string): string | undefined {
    let node = 0;
    let unit = this.#unit(node);
    for (const byte of UTF8.encode(text)) {
      node ^= childOffset(unit) ^ byte;
      unit = this.#unit(node);
      if ((unit & LABEL_BITS) >>> 0 !== byte) return undefined;
      if ((unit & HAS_LEAF) !== 0) return this.#textAt(this.#unit(node ^ childOffset(unit)) & VALUE_BITS);
    }
    return undefined;
  }

  #textAt(start: number): string {
    const end = this.#texts.indexOf(0, start);
    return FROM_UTF8.decode(this.#texts.subarray(start, end === -1 ? undefined : end));
  }

  /** A unit outside of the trie has no byte's label. */
  #unit(node: number): number {
    return this.#units[node] ?? NO_UNIT;
  }
}

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });
const UTF8 = new TextEncoder();
const FROM_UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

// A unit of a double array as darts-clone packs it.
const VALUE_BITS = 0x7fff_ffff;
const LABEL_BITS = 0x8000_00ff;
const HAS_LEAF = 0x100;
const NO_UNIT = 0x8000_0000;

/** Where a node's children are, beside its own place: 21 bits, times 256 where bit 9 says so. */
function childOffset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
