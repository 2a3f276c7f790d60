import type { Argv } from 'yargs';
import { EXIT, type CommandContext } from './main.js';
import { parseArgs } from './parser.js';
import type { Subcommand } from './subcommands.js';

/** What a parser makes of a line that asks for more than help. */
type Args<T> = NonNullable<Awaited<ReturnType<typeof parseArgs<T>>>>;

/**
 * A subcommand that does something where its line asks for more than help.
 * @param lists as for `parseArgs`
 */
export function command<T>(
  parser: Argv<T>,
  lists: readonly string[],
  run: (args: Args<T>, context: CommandContext) => Promise<number>,
): Subcommand {
  return async (context) => {
    const args = await parseArgs(parser, context.argv, lists);
    return args === null ? EXIT.ok : run(args as Args<T>, context);
  };
}
