/** What the host gives T5's two programs: rows of the token table, and who sees whom. */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { T5Config } from '../../../../model/t5-config.js';
import type { GpuFloat } from '../../../graph/gpu/gpu-style.js';
import { DTYPE_BITS } from '../../../../tensor/dtype.js';
import { fullMasks, type LanguagePrompt } from '../../model/language-prompt.js';
import type { Mask } from '../../model/attention-bias.js';
import { HIDDEN, joined, writeFloats, writeRows } from './decoder-wires.js';
import type { WireType } from '../program/wire-type.js';
import type { RelativeBias } from './relative-bias.js';
import type { TableRows } from './table-rows.js';

export interface T5Tables {
  readonly tokens: TableRows;
  readonly encoderBias: RelativeBias;
  readonly decoderBias: RelativeBias;
}

/** Tokens that caches have room for: the decoder's own, and those of prompts. */
interface DecoderRoom {
  readonly capacity: number;
  readonly promptLength: number;
}

/** One in each row. */
export interface NewT5Tokens {
  /** null for a row that is at rest. */
  readonly ids: readonly (number | null)[];
  /** Tokens in each row's cache. */
  readonly past: readonly number[];
  /** Of each row's prompt. */
  readonly promptTokens: readonly number[];
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

  /**
   * Of all that some device may read: operators of our own ask for lengths and distances, ONNX Runtime's for positions and biases.
   * @param biasRows 1 where all rows that are not at rest have as many tokens
   */
  tokenTypes(rows: number, biasRows: number, { capacity, promptLength }: DecoderRoom): Map<string, WireType> {
    const { hiddenSize, heads } = this.#config;
    return new Map([
      ['hidden', { dtype: 'F32', dims: [rows, 1, hiddenSize] }],
      ['seqlens', { dtype: 'I32', dims: [rows] }],
      ['cross_lengths', { dtype: 'I32', dims: [rows] }],
      ['distance_bias', { dtype: this.#float, dims: [heads, capacity] }],
      ['cache_positions', { dtype: 'I64', dims: [rows, 1, 1, 1] }],
      ['attention_bias', { dtype: this.#float, dims: [biasRows, heads, 1, capacity] }],
      ['cross_bias', { dtype: this.#float, dims: [rows, 1, 1, promptLength] }],
    ]);
  }

  /** One new token in each row. */
  writeToken(wire: string, target: Uint8Array, given: NewT5Tokens, { capacity, promptLength }: DecoderRoom): void {
    const { ids, past, promptTokens } = given;
    switch (wire) {
      case 'hidden': {
        const rows = ids.map((id) => (id === null ? null : this.#tables.tokens.stored(id)));
        return writeRows(rows, target, 'F32');
      }
      case 'seqlens':
        return target.set(new Uint8Array(Int32Array.from(past).buffer));
      case 'cross_lengths':
        return target.set(new Uint8Array(Int32Array.from(promptTokens, (tokens) => tokens - 1).buffer));
      case 'distance_bias':
        return writeFloats(this.#tables.decoderBias.behind(capacity), target, this.#float);
      case 'cache_positions':
        return target.set(new Uint8Array(BigInt64Array.from(past, BigInt).buffer));
      case 'attention_bias': {
        const rowBytes = (this.#config.heads * capacity * DTYPE_BITS[this.#float]) / 8;
        // One for all: a row at rest has none.
        const lengths = target.length === rowBytes ? [Math.max(...past)] : past;
        return writeFloats(joined(lengths.map((tokens) => this.#causal(tokens, capacity))), target, this.#float);
      }
      case 'cross_bias': {
        const seen = promptTokens.map((tokens) => new Float32Array(promptLength).fill(HIDDEN, tokens));
        return writeFloats(joined(seen), target, this.#float);
      }
      default:
        throw new Error(`T5's decoder does not read ${wire}`);
    }
  }

  /** `[heads, capacity]`: scores of a query that so many tokens are before. */
  #causal(past: number, capacity: number): Float32Array {
    const scores = this.#tables.decoderBias.scores(past, 1, capacity);
    for (let head = 0; head < this.#config.heads; head++) {
      scores.fill(HIDDEN, head * capacity + past + 1, (head + 1) * capacity);
    }
    return scores;
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
