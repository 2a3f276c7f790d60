/** What the host gives T5's two programs: rows of the token table, and who sees whom. */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { T5Config } from '../../../../model/t5-config.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import { fullMasks, type LanguagePrompt } from '../../model/language-prompt.js';
import type { Mask } from '../../model/attention-bias.js';
import { HIDDEN, joined, writeFloats, type RunShape } from './decoder-wires.js';
import type { WireType } from '../program/wire-type.js';
import type { RelativeBias } from './relative-bias.js';
import type { TableRows } from './table-rows.js';

export interface T5Tables {
  readonly tokens: TableRows;
  readonly encoderBias: RelativeBias;
  readonly decoderBias: RelativeBias;
}

export class T5Wires {
  readonly #config: T5Config;
  readonly #float: GpuFloat;
  readonly #tables: T5Tables;

  constructor(config: T5Config, float: GpuFloat, tables: T5Tables) {
    this.#config = config;
    this.#float = float;
    this.#tables = tables;
  }

  /** @param length tokens of the prompts, with padding */
  promptTypes(rows: number, length: number): Map<string, WireType> {
    const { hiddenSize, heads } = this.#config;
    return new Map([
      ['encoder_hidden', { dtype: 'F32', dims: [rows, length, hiddenSize] }],
      ['encoder_bias', { dtype: this.#float, dims: [rows, heads, length, length] }],
    ]);
  }

  writePrompt(wire: string, target: Uint8Array, prompt: LanguagePrompt, length: number): void {
    if (wire === 'encoder_hidden') return this.#writePromptRows(target, prompt, length);
    const scores = this.#tables.encoderBias.scores(0, length, length);
    const rowBytes = target.length / prompt.textIds.length;
    /** Prompts of as many tokens see alike, and most of a batch are. */
    const written = new Map<string, Uint8Array>();
    for (const [row, mask] of fullMasks(prompt).entries()) {
      const ofRow = target.subarray(row * rowBytes, (row + 1) * rowBytes);
      const key = mask.join('');
      const same = written.get(key);
      if (same === undefined) writeFloats(hiddenFrom(scores, paddingRow(mask, length)), ofRow, this.#float);
      else ofRow.set(same);
      written.set(key, ofRow);
    }
  }

  #writePromptRows(target: Uint8Array, { prefix, textIds }: LanguagePrompt, length: number): void {
    const { hiddenSize } = this.#config;
    const rowBytes = 4 * length * hiddenSize;
    const pictureBytes = 4 * (prefix.dims[1] ?? 0) * hiddenSize;
    const picture = storedIn(prefix);
    const pictures = picture.bytes.length / textIds.length;
    for (const [row, ids] of textIds.entries()) {
      const ofRow = target.subarray(row * rowBytes, (row + 1) * rowBytes);
      const own = picture.bytes.subarray(row * pictures, (row + 1) * pictures);
      convertFloats(own, picture.dtype, ofRow.subarray(0, pictureBytes), 'F32');
      const texts = joined(ids.map((id) => this.#tables.tokens.row(id)));
      writeFloats(texts, ofRow.subarray(pictureBytes, pictureBytes + texts.byteLength), 'F32');
      ofRow.fill(0, pictureBytes + texts.byteLength);
    }
  }

  /** @param capacity tokens that the decoder's caches have room for */
  tokenTypes({ rows, tokens }: RunShape, capacity: number, promptLength: number): Map<string, WireType> {
    const { hiddenSize, heads } = this.#config;
    return new Map([
      ['hidden', { dtype: 'F32', dims: [rows, tokens, hiddenSize] }],
      ['cache_positions', { dtype: 'I64', dims: [rows, 1, tokens, 1] }],
      ['attention_bias', { dtype: this.#float, dims: [1, heads, tokens, capacity] }],
      ['cross_bias', { dtype: this.#float, dims: [rows, 1, tokens, promptLength] }],
    ]);
  }

  /**
   * One new token in each row.
   * @param past tokens in every row's cache
   * @param masks the prompt of each row
   */
  writeToken(
    wire: string,
    target: Uint8Array,
    { ids, past, masks }: { readonly ids: readonly number[]; readonly past: number; readonly masks: readonly Mask[] },
    { capacity, promptLength }: { readonly capacity: number; readonly promptLength: number },
  ): void {
    switch (wire) {
      case 'hidden':
        return writeFloats(joined(ids.map((id) => this.#tables.tokens.row(id))), target, 'F32');
      case 'cache_positions':
        return target.set(new Uint8Array(BigInt64Array.from(ids, () => BigInt(past)).buffer));
      case 'attention_bias': {
        const scores = this.#tables.decoderBias.scores(past, 1, capacity);
        for (let head = 0; head < this.#config.heads; head++) {
          scores.fill(HIDDEN, head * capacity + past + 1, (head + 1) * capacity);
        }
        return writeFloats(scores, target, this.#float);
      }
      case 'cross_bias':
        return writeFloats(joined(masks.map((mask) => paddingRow(mask, promptLength))), target, this.#float);
      default:
        throw new Error(`T5's decoder does not read ${wire}`);
    }
  }
}

/** Added to scores of a prompt's tokens: 0 for those that are seen. */
function paddingRow(mask: Mask, length: number): Float32Array {
  return Float32Array.from({ length }, (_, token) => (mask[token] === 1 ? 0 : HIDDEN));
}

/** Scores of queries and keys, with what no query may see hidden from all. */
function hiddenFrom(scores: Float32Array, seen: Float32Array): Float32Array {
  if (seen.every((score) => score !== HIDDEN)) return scores;
  const { length } = seen;
  return scores.map((score, at) => (seen[at % length] === HIDDEN ? HIDDEN : score));
}

function storedIn({ data, type }: LanguagePrompt['prefix']): { bytes: Uint8Array; dtype: GpuFloat } {
  const { buffer, byteOffset, byteLength } = data as Float32Array | Uint16Array;
  return { bytes: new Uint8Array(buffer, byteOffset, byteLength), dtype: type === 'float16' ? 'F16' : 'F32' };
}
