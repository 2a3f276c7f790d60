import type { Checkpoint } from '../../src/loader/index.js';

/** Says on stderr what a person should know of a checkpoint that is read. */
export function warnOf({ warnings }: Pick<Checkpoint, 'warnings'>, quiet = false): void {
  for (const { message, code } of quiet ? [] : warnings) process.stderr.write(`warning: ${message} [${code}]\n`);
}
