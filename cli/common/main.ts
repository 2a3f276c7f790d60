/**
 * The frame of every command: stdout carries the answer and nothing else, stderr the story, and the exit code says
 * which of five things happened.
 */
import { constants } from 'node:os';
import { Blip2Error } from '../../src/planner/index.js';
import { reasonOf } from '../../src/errors.js';
import { EXIT, exitStatusOf } from './exit-status.js';
import { flagOf } from './flag-of.js';

export { EXIT };

/** Wrong usage of a command: exit code 2. */
export function usageError(message: string, hint?: string): Blip2Error {
  return new Blip2Error('USAGE', message, hint === undefined ? {} : { hint });
}

export interface CommandContext {
  readonly argv: readonly string[];
  /**
   * Aborted by the first Ctrl-C or SIGTERM; the command then finishes what is in flight and returns. Signals are caught
   * once a command asks for this: one that does not, such as a long calculation, ends at the first signal.
   */
  readonly signal: AbortSignal;
}

/** `timeout` sends its signal to the process and to its group: what comes as soon after the first is the same wish to stop. */
const SAME_WISH_MS = 100;

/**
 * Runs a command to its exit code. A second signal stops any process at once; the exit code is then 128 + the
 * signal's number, as shells expect.
 */
export async function main(command: (context: CommandContext) => Promise<number>): Promise<void> {
  const controller = new AbortController();
  let stoppedMs = Infinity;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    const code = 128 + constants.signals[signal];
    if (controller.signal.aborted) {
      if (performance.now() - stoppedMs > SAME_WISH_MS) process.exit(code);
      return;
    }
    stoppedMs = performance.now();
    process.exitCode = code;
    controller.abort(new Blip2Error('INTERRUPTED', `interrupted by ${signal}`));
  };
  // A reader that closes early (`| head -1`) has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
    const lost = new Blip2Error('WRITE_FAILED', `the answer could not be written to stdout: ${error.message}`);
    printError(lost, process.argv.includes('--json'));
    process.exit(EXIT.failed);
  });
  process.stderr.on('error', () => undefined);

  const argv = process.argv.slice(2);
  try {
    const code = await command({
      argv,
      get signal() {
        if (process.listenerCount('SIGINT', onSignal) === 0) process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
        return controller.signal;
      },
    });
    process.exitCode ??= code;
  } catch (error) {
    if (!controller.signal.aborted || !isInterruption(error)) printError(error, argv.includes('--json'));
    process.exitCode ??= exitStatusOf(error);
  }
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
}

function isInterruption(error: unknown): boolean {
  return (
    (error instanceof Blip2Error && error.code === 'INTERRUPTED') ||
    (error instanceof Error && error.name === 'AbortError')
  );
}

/** Three lines at most: what and why with the numbers, then what to type next; one JSON line for programs. */
export function printError(error: unknown, asJson: boolean): void {
  const known = error instanceof Blip2Error ? error : unexpected(error);
  const { code, details } = known;
  const { message, hint } = known.inWordsOf(flagOf);
  if (asJson) {
    process.stderr.write(`${JSON.stringify({ code, message, hint, details })}\n`);
    return;
  }
  process.stderr.write(`error: ${message} [${code}]\n`);
  if (hint !== undefined) process.stderr.write(`${hint}\n`);
  if (process.env['BLIP2_DEBUG'] !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

function unexpected(error: unknown): Blip2Error {
  const message = reasonOf(error);
  return new Blip2Error('UNEXPECTED', message.split('\n')[0] ?? message, {
    hint: 'Set BLIP2_DEBUG=1 to see where this happened.',
  });
}
