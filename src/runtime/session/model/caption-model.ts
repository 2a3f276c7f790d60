import type { Tensor } from 'onnxruntime-node';
import type { ModelPixels } from '../../image/pixel-rules.js';
import type { TokenSource } from '../../generation/token-source.js';
import type { RollingSource } from '../../generation/rolling-source.js';
import type { DecodingRoom, LanguagePrompt } from './language-prompt.js';
import type { WordBatch } from './word-wires.js';

export interface BatchSize {
  /** Sequences that are decoded at once. */
  readonly rows: number;
  /** Pictures that are encoded at once. */
  readonly encoded: number;
  /** Of the prompt and the answer. */
  readonly tokens: number;
}

/** What captions are made with, on whatever devices it runs. */
export interface CaptionModel extends AsyncDisposable {
  /** Whether its devices have memory left for so much, as far as they tell; absent where memory is the system's. */
  hasRoomFor?(size: BatchSize): boolean;
  /** Whether weights of the language model are copied to a device for every run. */
  readonly streamsText?: boolean;
  /** Whether pictures are encoded in the memory of caches, so that no sequence may be open meanwhile. */
  readonly encodesAlone?: boolean;
  /**
   * Calls of `encodeImages` that are worth asking for before the first of them is done, all of which go on beside decoding. Absent or 0: one
   * at a time, which nothing goes on beside.
   */
  readonly encodingsBeside?: number;
  /** Of the pixels that it reads; absent: float32 alone. */
  readonly pixelFloat?: 'F16' | 'F32';
  /**
   * @param pixels normalised, row-major, float32 or of `pixelFloat`
   * @param shape `[pictures, channels, height, width]`
   * @param words the instruction of each picture, for an InstructBLIP
   * @returns rows for the language model, `[pictures, numQueryTokens, hiddenSize]`, float32 or float16
   */
  encodeImages(pixels: ModelPixels, shape: readonly number[], words?: WordBatch): Promise<Tensor>;
  /** The language model after the given prompts: decoding algorithms read its logits. */
  tokens(prompt: LanguagePrompt): TokenSource;
  /** Takes memory for caches, where it is taken ahead. */
  reserve?(room: DecodingRoom): void;
  /**
   * The same for sequences that come and go, as many at once as there is room for. Absent or null where all that run
   * together have to begin together.
   */
  rolling?(room: DecodingRoom): RollingSource<LanguagePrompt> | null;
}
