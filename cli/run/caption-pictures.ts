import { Blip2Error } from '../../src/planner/index.js';
import type { AnswerToken, Ask, Caption, Captioner, GenerationOptions, Outcome } from '../../src/runtime/index.js';
import { errorText } from '../../src/error-text.js';
import { inLine } from '../../src/runtime/image/file-url.js';
import { EXIT, printError } from '../common/main.js';
import { ProgressLine } from '../common/progress.js';
import { writeOut } from '../common/write-out.js';
import { inOneLine, StreamedLine } from './streamed-line.js';

export interface CaptionRun {
  readonly options: Ask & GenerationOptions & { readonly batchSize: number | 'auto' };
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
 * Captions pictures, each written as soon as it and those before it are known. A picture that cannot be read is reported
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
  const before = tally.done;
  const show = (): void => {
    const rate = (1000 * (tally.done - before)) / (performance.now() - began);
    line.update(`${tally.done}/${pictures.length} pictures, ${rate.toFixed(2)} a second, ${tally.failed} failed`);
  };
  const named = pictures.length > 1;
  let streamed: StreamedLine | undefined;
  let passed = (): void => undefined;
  /** The next picture's words may be there before the end of the last one's line is written. */
  const onToken = async ({ index, text }: AnswerToken): Promise<void> => {
    while (tally.done < before + index) await new Promise<void>((resolve) => (passed = resolve));
    streamed ??= new StreamedLine(named ? inLine(pictures[before + index] ?? '') : undefined);
    await streamed.add(text);
  };
  const hooks = { signal: run.signal, ...(run.stream ? { onToken } : {}) };
  show();
  try {
    for await (const outcome of captioner.captionAll(pictures.slice(before), { ...run.options, ...hooks })) {
      line.clear();
      const picture = pictures[tally.done] ?? '';
      if (outcome.status === 'failed') tally.failed += 1;
      await report(outcome, picture, { asJson: run.asJson, named, stream: streamed });
      streamed = undefined;
      tally.done += 1;
      passed();
      show();
    }
  } catch (error) {
    if (!run.signal.aborted) throw error;
  }
  line.clear();
  // Of a single picture its own error says all there is to say.
  if (tally.failed > 0 && named && !run.quiet)
    process.stderr.write(`${tally.failed} of ${pictures.length} pictures failed\n`);
  return tally.failed === 0 ? EXIT.ok : EXIT.someInputsFailed;
}

/** @throws what ends more than a picture */
async function report(
  outcome: Outcome,
  picture: string,
  { asJson, named, stream }: { asJson: boolean; named: boolean; stream: StreamedLine | undefined },
): Promise<void> {
  if (outcome.status === 'captioned') {
    const { caption } = outcome;
    if (stream !== undefined) return stream.end(plainLines(picture, caption, named));
    return writeOut(asJson ? jsonLine(picture, caption) : plainLines(picture, caption, named));
  }
  const { error } = outcome;
  if (!(error instanceof Blip2Error)) throw error;
  if (!asJson) return printError(withPicture(error, picture), false);
  const { code, message } = error;
  await writeOut(`${JSON.stringify({ file_name: picture, text: null, error: { code, message } })}\n`);
}

/** An error about bytes that were fetched does not know where they came from. */
export function withPicture(error: Blip2Error, picture: string): Blip2Error {
  const { code, texts, details } = error;
  if ('picture' in details) return error;
  const name = inLine(picture).slice(0, 100);
  return new Blip2Error(code, errorText`${name}: ${texts.message}`, {
    hint: texts.hint,
    details: { ...details, picture: name },
    cause: error,
  });
}

/** A line per answer. Tabs and line breaks inside one become blanks, so that a line stays an answer. */
function plainLines(picture: string, { answers }: Caption, named: boolean): string {
  return answers
    .map(({ text }) => inOneLine(text))
    .map((text) => (named ? `${inLine(picture)}\t${text}\n` : `${text}\n`))
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
