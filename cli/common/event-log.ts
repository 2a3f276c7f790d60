import type { Argv } from 'yargs';
import { switchFlag } from './flags.js';

export type Level = 'info' | 'warning' | 'error';

/** What happens while a command runs, on stderr: a line for people, or a JSON object for programs. */
export class EventLog {
  readonly #format: 'text' | 'json';
  readonly #quiet: boolean;

  constructor(format: 'text' | 'json', quiet = false) {
    this.#format = format;
    this.#quiet = quiet;
  }

  /**
   * @param event a name that stays the same
   * @param text the same for people; events without one are for programs alone
   */
  write(level: Level, event: string, text: string | null, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.#quiet && level === 'info') return;
    if (this.#format === 'json') {
      const line = {
        time: new Date().toISOString(),
        level,
        event,
        ...(text === null ? {} : { message: text }),
        ...fields,
      };
      process.stderr.write(`${JSON.stringify(line)}\n`);
    } else if (text !== null) process.stderr.write(`${level === 'info' ? '' : `${level}: `}${text}\n`);
  }
}

export function logFlags<T>(parser: Argv<T>) {
  return parser
    .option('log', {
      choices: ['text', 'json'] as const,
      default: 'text' as const,
      group: 'Output:',
      describe: 'what happens, on stderr: for people, or a JSON object a line',
    })
    .option('quiet', { ...switchFlag('Output:', 'warnings and errors only on stderr'), alias: 'q' });
}
