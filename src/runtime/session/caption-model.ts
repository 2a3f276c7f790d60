import type { Tensor } from 'onnxruntime-node';
import type { TokenSource } from '../generation/token-source.js';
import type { RollingSource } from '../generation/rolling-source.js';
import type { DecodingRoom, LanguagePrompt } from './language-prompt.js';
import type { WordBatch } from './word-wires.js';

/** What captions are made with, on whatever devices it runs. */
export interface CaptionModel extends AsyncDisposable {
  /**
   * @param pixels normalised, float32, row-major
   * @param shape `[pictures, channels, height, width]`
   * @param words the instruction of each picture, for an InstructBLIP
   * @returns rows for the language model, `[pictures, numQueryTokens, hiddenSize]`, float32 or float16
   */
  encodeImages(pixels: Float32Array, shape: readonly number[], words?: WordBatch): Promise<Tensor>;
  /** The language model after the given prompts: decoding algorithms read its logits. */
  tokens(prompt: LanguagePrompt): TokenSource;
  /**
   * The same for sequences that come and go, as many at once as there is room for. Absent or null where all that run
   * together have to begin together.
   */
  rolling?(room: DecodingRoom): RollingSource<LanguagePrompt> | null;
}
