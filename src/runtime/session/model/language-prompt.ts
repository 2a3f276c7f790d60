import { Tensor } from 'onnxruntime-node';
import type { Mask } from './attention-bias.js';

/** What a language model reads, one row per picture. */
export interface LanguagePrompt {
  /** The projected pictures, `[rows, numQueryTokens, hiddenSize]`, as `CaptionModel.encodeImages` makes them. */
  readonly prefix: Tensor;
  /** Ids after the picture, padded to one length: on the left for OPT, on the right for T5. */
  readonly textIds: readonly (readonly number[])[];
  /** Shaped as `textIds`. */
  readonly textMask: readonly Mask[];
  /** What decoding may come to. Caches are made as large at once: growing them takes the room of both. */
  readonly room?: DecodingRoom;
}

export interface DecodingRoom {
  /** Sequences at once, of all pictures. */
  readonly rows: number;
  /** Of a sequence. */
  readonly newTokens: number;
  /** Of the longest prompt, where a plan has room for no longer one. */
  readonly promptTokens?: number;
}

/** Masks over picture and text: the picture is always seen. */
export function fullMasks({ prefix, textMask }: LanguagePrompt): number[][] {
  const picture = Array.from({ length: prefix.dims[1] ?? 0 }, () => 1);
  return textMask.map((mask) => [...picture, ...mask]);
}

/** Rows of ids as int64 `[rows, tokens]`. */
export function idTensor(rows: readonly (readonly number[])[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]?.length ?? 0]);
}
