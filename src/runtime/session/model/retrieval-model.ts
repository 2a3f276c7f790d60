import type { Tensor } from 'onnxruntime-node';
import type { WordBatch } from './word-wires.js';

/** What pictures and texts are compared with, on whatever devices it runs. */
export interface RetrievalModel extends AsyncDisposable {
  /**
   * @param pixels normalised, float32, row-major
   * @param shape `[pictures, channels, height, width]`
   * @returns what the other methods read of the pictures, float32 `[pictures * tokens, hiddenSize]`
   */
  see(pixels: Float32Array, shape: readonly number[]): Promise<Tensor>;
  /** Unit vectors of pictures, float32 `[pictures, numQueryTokens, embedSize]`. */
  embedImages(vision: Tensor): Promise<Tensor>;
  /** Unit vectors of texts, float32 `[texts, words, embedSize]`; those of padding mean nothing. */
  embedTexts(words: WordBatch): Promise<Tensor>;
  /** Logits of no match and of match of each picture with the text of the same row, float32 `[pictures, 2]`. */
  match(vision: Tensor, words: WordBatch): Promise<Tensor>;
}
