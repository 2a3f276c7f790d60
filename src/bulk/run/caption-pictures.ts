import type { Blip2Error } from '../../errors.js';
import type { Answer } from '../../runtime/engine/captioner-options.js';

/** A picture that is handed to a captioner. */
export interface HandedPicture {
  /** Path or URL of a file, or the bytes of one. */
  readonly source: string | Uint8Array;
  /** Its position in the whole run: sampling draws by it, whoever captions the picture and beside which others. */
  readonly randomStream: number;
}

export type Outcome =
  | { readonly status: 'captioned'; readonly answers: readonly [Answer, ...Answer[]] }
  | { readonly status: 'failed'; readonly error: Blip2Error };

/** Captions pictures in their order, and takes as many ahead as it likes. A picture that fails is an outcome. */
export type CaptionPictures = (pictures: AsyncIterable<HandedPicture>, signal: AbortSignal) => AsyncIterable<Outcome>;

/** One model. Its process may end: `caption` then throws Blip2Error `PROCESS_ENDED`. */
export interface CaptionWorker extends AsyncDisposable {
  readonly caption: CaptionPictures;
}
