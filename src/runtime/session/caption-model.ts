import type { Tensor } from 'onnxruntime-node';
import type { TokenSource } from '../generation/token-source.js';
import type { LanguagePrompt } from './language-prompt.js';
import type { WordBatch } from './word-wires.js';

/** What captions are made with, on whatever devices it runs. */
export interface CaptionModel extends AsyncDisposable {
  /**
   * @param pixels normalised, float32, row-major
   * @param shape `[pictures, channels, height, width]`
   * @param words the instruction of each picture, for an InstructBLIP
   * @returns rows for the language model, float32 `[pictures, numQueryTokens, hiddenSize]`
   */
  encodeImages(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor>;
  /** The language model after the given prompts: decoding algorithms read its logits. */
  tokens(prompt: LanguagePrompt): TokenSource;
}
