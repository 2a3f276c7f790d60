/** What a stream of pictures is put together from. */
import type { Blip2Config } from '../../../model/blip2-config.js';
import type { PictureSize } from '../../../model/picture-size.js';
import type { Asking } from '../asking.js';
import type { Caption } from '../captioner-options.js';
import type { GenerationOptions, GenerationSettings } from '../../generation/generation-options.js';
import type { GeneratedSequence } from '../../generation/generation-request.js';
import type { ModelPixels } from '../../image/pixel-rules.js';
import type { CaptionModel } from '../../session/model/caption-model.js';
import type { AnswerStream } from '../text/answer-stream.js';
import type { PromptBatch } from '../text/prompts.js';
import type { PictureRows } from './picture-rows.js';

/** A picture with what is asked of it, as the models read both. */
export interface PreparedPicture {
  readonly pixels: ModelPixels;
  readonly text: string | null;
  readonly prompt: PromptBatch;
  /** Its own or the call's, within the model's positions. */
  readonly settings: GenerationSettings;
}

export interface StreamSettings {
  readonly generation: GenerationOptions;
  /** Pictures that are decoded at once. */
  readonly pictures: number;
  /** Pictures that are encoded at once. */
  readonly encoded: number;
  /** Begins with the pictures that there are, instead of waiting for as many as run best together. Default false. */
  readonly eager?: boolean;
  /** See `DecodingRoom`. */
  readonly promptTokens?: number;
}

export interface CaptionStreamParts {
  readonly config: Blip2Config;
  readonly model: CaptionModel;
  readonly asking: Asking;
  readonly pictureSize: PictureSize;
  /** Makes text of an answer's tokens. */
  readonly answerStream: () => AnswerStream;
  readonly captionOf: (
    index: number,
    sequences: readonly GeneratedSequence[],
    course: Pick<Caption, 'promptTokens' | 'timing'>,
  ) => Caption;
}

/** A picture that waits for a row of the decoder. */
export interface Encoded<Given> {
  readonly given: Given;
  readonly made: PreparedPicture;
  readonly rows: PictureRows;
  readonly preparedMs: number;
  readonly imageMs: number;
}
