import { once } from 'node:events';
import { Blip2Error } from '../../src/errors.js';
import type { Captioner } from '../../src/runtime/captioner.js';
import type { Ask, Caption } from '../../src/runtime/captioner-options.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { EXIT, printError } from '../common/main.js';
import { ProgressLine } from '../common/progress.js';

export interface CaptionRun {
  readonly ask: Ask;
  readonly generation: GenerationOptions;
  readonly signal: AbortSignal;
  /** One JSON object per picture in place of plain captions. */
  readonly asJson: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
}

/**
 * Captions pictures one after the other, each written as soon as it is known. A picture that cannot be read is reported
 * and skipped: it neither stops the run nor shifts another picture's caption.
 * @returns the exit code
 */
export async function captionPictures(
  captioner: Captioner,
  pictures: readonly string[],
  run: CaptionRun,
): Promise<number> {
  const line = new ProgressLine(run.progress);
  const began = performance.now();
  let failed = 0;
  for (const [index, picture] of pictures.entries()) {
    if (run.signal.aborted) break;
    const rate = (1000 * index) / (performance.now() - began);
    line.update(`${index}/${pictures.length} pictures, ${rate.toFixed(2)} a second, ${failed} failed`);
    const outcome = await captionOne(captioner, picture, run);
    line.clear();
    if (outcome.status === 'stopped') break;
    if (outcome.status === 'failed') {
      failed += 1;
      if (run.asJson)
        await write(`${JSON.stringify({ file_name: picture, text: null, error: errorRecord(outcome.error) })}\n`);
      else printError(outcome.error, false);
      continue;
    }
    await write(
      run.asJson ? jsonLine(picture, outcome.caption) : plainLine(picture, outcome.caption, pictures.length > 1),
    );
  }
  if (failed > 0 && !run.quiet) process.stderr.write(`${failed} of ${pictures.length} pictures failed\n`);
  return failed === 0 ? EXIT.ok : EXIT.someInputsFailed;
}

type Outcome =
  | { readonly status: 'captioned'; readonly caption: Caption }
  | { readonly status: 'failed'; readonly error: Blip2Error }
  | { readonly status: 'stopped' };

async function captionOne(captioner: Captioner, picture: string, run: CaptionRun): Promise<Outcome> {
  try {
    for await (const caption of captioner.caption(picture, { ...run.ask, ...run.generation, signal: run.signal })) {
      return { status: 'captioned', caption };
    }
    return { status: 'stopped' };
  } catch (error) {
    if (run.signal.aborted) return { status: 'stopped' };
    if (error instanceof Blip2Error && error.code.startsWith('IMAGE_')) return { status: 'failed', error };
    throw error;
  }
}

/** Tabs and line breaks inside a caption become blanks, so that a line stays a picture. */
function plainLine(picture: string, caption: Caption, named: boolean): string {
  const text = caption.text.replaceAll(/\s+/g, ' ');
  return named ? `${picture}\t${text}\n` : `${text}\n`;
}

function jsonLine(picture: string, { text, answers, timing }: Caption): string {
  return `${JSON.stringify({ file_name: picture, text, tokens: answers[0]?.ids ?? [], timing })}\n`;
}

function errorRecord({ code, message }: Blip2Error): { code: string; message: string } {
  return { code, message };
}

/** Waits for a slow reader instead of buffering without end. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
