import { Blip2Error } from '../../src/errors.js';
import type { Captioner } from '../../src/runtime/captioner.js';
import type { AnswerToken, Ask, Caption } from '../../src/runtime/captioner-options.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { EXIT, printError } from '../common/main.js';
import { ProgressLine } from '../common/progress.js';
import { writeOut } from '../common/write-out.js';
import { inOneLine, StreamedLine } from './streamed-line.js';

export interface CaptionRun {
  readonly options: Ask & GenerationOptions & { readonly batchSize: number };
  readonly signal: AbortSignal;
  /** Writes plain captions as they are made; one picture and one answer at a time. */
  readonly stream: boolean;
  /** One JSON object per picture in place of plain captions. */
  readonly asJson: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
}

/** How far a run has come, so that another captioner can go on where one failed. */
export interface Tally {
  done: number;
  failed: number;
}

/**
 * Captions pictures batch by batch, each batch written as soon as it is known. A picture that cannot be read is reported
 * and skipped: it neither stops the run nor shifts another picture's caption.
 * @returns the exit code
 */
export async function captionPictures(
  captioner: Captioner,
  pictures: readonly string[],
  run: CaptionRun,
  tally: Tally,
): Promise<number> {
  const line = new ProgressLine(run.progress && !run.stream);
  const began = performance.now();
  while (tally.done < pictures.length && !run.signal.aborted) {
    const rate = (1000 * tally.done) / (performance.now() - began);
    line.update(`${tally.done}/${pictures.length} pictures, ${rate.toFixed(2)} a second, ${tally.failed} failed`);
    const batch = pictures.slice(tally.done, tally.done + run.options.batchSize);
    const stream = run.stream ? new StreamedLine(pictures.length > 1 ? batch[0] : undefined) : undefined;
    const outcomes = await captionBatch(captioner, batch, run, stream);
    line.clear();
    for (const outcome of outcomes) {
      if (outcome.status === 'failed') tally.failed += 1;
      await report(outcome, run.asJson, pictures.length > 1, stream);
    }
    tally.done += batch.length;
  }
  // Of a single picture its own error says all there is to say.
  if (tally.failed > 0 && pictures.length > 1 && !run.quiet)
    process.stderr.write(`${tally.failed} of ${pictures.length} pictures failed\n`);
  return tally.failed === 0 ? EXIT.ok : EXIT.someInputsFailed;
}

type Outcome =
  | { readonly status: 'captioned'; readonly picture: string; readonly caption: Caption }
  | { readonly status: 'failed'; readonly picture: string; readonly error: Blip2Error };

/** Outcomes in the order of the pictures; none once the run is stopped. */
async function captionBatch(
  captioner: Captioner,
  pictures: readonly string[],
  run: CaptionRun,
  stream?: StreamedLine,
): Promise<Outcome[]> {
  const hooks = {
    signal: run.signal,
    ...(stream === undefined ? {} : { onToken: ({ text }: AnswerToken) => stream.add(text) }),
  };
  try {
    const outcomes: Outcome[] = [];
    for await (const caption of captioner.caption(pictures, { ...run.options, ...hooks })) {
      const picture = pictures[caption.index];
      if (picture !== undefined) outcomes.push({ status: 'captioned', picture, caption });
    }
    return outcomes;
  } catch (error) {
    if (run.signal.aborted) return [];
    if (!(error instanceof Blip2Error && error.code.startsWith('IMAGE_'))) throw error;
    const [picture, ...others] = pictures;
    if (picture === undefined) return [];
    if (others.length === 0) return [{ status: 'failed', picture, error }];
    // One broken picture fails its batch: the others are captioned alone.
    const alone: Outcome[] = [];
    for (const single of pictures) alone.push(...(await captionBatch(captioner, [single], run)));
    return alone;
  }
}

async function report(outcome: Outcome, asJson: boolean, named: boolean, stream?: StreamedLine): Promise<void> {
  if (outcome.status === 'captioned') {
    const { picture, caption } = outcome;
    if (stream !== undefined) return stream.end(plainLines(picture, caption, named));
    return writeOut(asJson ? jsonLine(picture, caption) : plainLines(picture, caption, named));
  }
  const { picture, error } = outcome;
  if (!asJson) return printError(error, false);
  const { code, message } = error;
  await writeOut(`${JSON.stringify({ file_name: picture, text: null, error: { code, message } })}\n`);
}

/** A line per answer. Tabs and line breaks inside one become blanks, so that a line stays an answer. */
function plainLines(picture: string, { answers }: Caption, named: boolean): string {
  return answers
    .map(({ text }) => inOneLine(text))
    .map((text) => (named ? `${picture}\t${text}\n` : `${text}\n`))
    .join('');
}

/** `text` and `tokens` are the first answer's; where several were asked for, `answers` holds them all. */
function jsonLine(picture: string, { text, answers, timing }: Caption): string {
  const [first] = answers;
  return `${JSON.stringify({
    file_name: picture,
    text,
    tokens: first?.ids ?? [],
    ...(answers.length > 1
      ? { answers: answers.map((answer) => ({ text: answer.text, tokens: answer.ids, score: answer.score })) }
      : {}),
    timing,
  })}\n`;
}
