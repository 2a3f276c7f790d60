import type { Matcher } from '../../src/runtime/index.js';
import { inLine } from '../../src/runtime/image/file-url.js';
import { isPictureError } from '../../src/runtime/image/picture-error.js';
import { EXIT, printError } from '../common/main.js';
import { writeOut } from '../common/write-out.js';
import { withPicture } from './caption-pictures.js';
import { inOneLine } from './streamed-line.js';

export interface MatchRun {
  /** Texts to compare each picture with. */
  readonly texts: readonly string[];
  /** Writes the picture's unit vectors too; as JSON only. */
  readonly embed: boolean;
  readonly asJson: boolean;
  readonly signal: AbortSignal;
}

/**
 * Compares pictures with texts. A line per picture and text: probability that the text describes the picture, cosine
 * similarity, text; or one JSON object per picture.
 * @returns the exit code
 */
export async function matchPictures(matcher: Matcher, pictures: readonly string[], run: MatchRun): Promise<number> {
  let failed = 0;
  for (const picture of pictures) {
    if (run.signal.aborted) break;
    try {
      const matches = run.texts.length === 0 ? [] : await matcher.match(picture, run.texts, run);
      const embedding = run.embed ? (await matcher.embedImage(picture, run)).map((vector) => [...vector]) : undefined;
      if (run.asJson || run.embed) {
        await writeOut(`${JSON.stringify({ file_name: picture, matches, ...(run.embed ? { embedding } : {}) })}\n`);
        continue;
      }
      const named = pictures.length > 1 ? `${inLine(picture)}\t` : '';
      for (const { text, probability, similarity } of matches) {
        await writeOut(`${named}${probability.toFixed(4)}\t${similarity.toFixed(4)}\t${inOneLine(text)}\n`);
      }
    } catch (error) {
      if (run.signal.aborted) break;
      if (!isPictureError(error)) throw error;
      failed += 1;
      if (!run.asJson && !run.embed) printError(withPicture(error, picture), false);
      else {
        const { code, message } = error;
        await writeOut(`${JSON.stringify({ file_name: picture, matches: null, error: { code, message } })}\n`);
      }
    }
  }
  return failed === 0 ? EXIT.ok : EXIT.someInputsFailed;
}
