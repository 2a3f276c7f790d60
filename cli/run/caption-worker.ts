import type { CaptionAllOptions, Captioner, CaptionTiming, Picture } from '../../src/runtime/index.js';
import type { CaptionWorker, HandedPicture, Outcome } from '../../src/bulk/run/caption-pictures.js';
import { isPictureError } from '../../src/runtime/image/picture-error.js';

/**
 * A captioner as a run of many pictures knows it; pictures that cannot be read are outcomes, anything else ends it.
 * @param onCaptioned takes the times of each caption
 */
export function captionWorker(
  captioner: Captioner,
  options: CaptionAllOptions,
  onCaptioned?: (timing: CaptionTiming) => void,
): CaptionWorker {
  return {
    async *caption(pictures, signal): AsyncGenerator<Outcome, void> {
      for await (const outcome of captioner.captionAll(asPictures(pictures), { ...options, signal })) {
        if (outcome.status === 'failed') {
          const { error } = outcome;
          if (!isPictureError(error)) throw error;
          yield { status: 'failed', error };
          continue;
        }
        onCaptioned?.(outcome.caption.timing);
        const [first, ...others] = outcome.caption.answers;
        if (first === undefined) throw new Error('a caption without an answer');
        yield { status: 'captioned', answers: [first, ...others] };
      }
    },
    [Symbol.asyncDispose]: () => captioner[Symbol.asyncDispose](),
  };
}

async function* asPictures(pictures: AsyncIterable<HandedPicture>): AsyncGenerator<Picture, void> {
  for await (const { source, randomStream } of pictures) yield { image: source, randomStream };
}
