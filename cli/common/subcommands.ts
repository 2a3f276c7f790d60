import { didYouMean } from './closest.js';
import { EXIT, usageError, type CommandContext } from './main.js';
import { createParser, parseArgs } from './parser.js';

export type Subcommand = (context: CommandContext) => Promise<number>;

/** Name -> what it does in a few words, and its code, which is loaded when it is asked for. */
export type Subcommands = ReadonlyMap<string, { readonly describe: string; readonly load: () => Promise<Subcommand> }>;

/** Runs the subcommand that the first word names. @throws Blip2Error `USAGE` where there is none */
export async function runSubcommand(
  {
    name,
    describe,
    subcommands,
  }: { readonly name: string; readonly describe: string; readonly subcommands: Subcommands },
  context: CommandContext,
): Promise<number> {
  const [word = '', ...rest] = context.argv;
  const subcommand = subcommands.get(word);
  if (subcommand !== undefined) return (await subcommand.load())(withArgv(context, rest));
  const names = [...subcommands.keys()];
  if (word !== '' && !word.startsWith('-')) {
    throw usageError(
      `there is no subcommand "${word}"`,
      `${didYouMean([word], names)}Subcommands: ${names.join(', ')}.`,
    );
  }
  const list = [...subcommands].map(([each, { describe: what }]) => `  ${each.padEnd(9)}${what}`).join('\n');
  const parser = createParser(name, '$0', describe).epilogue(
    `Subcommands:\n${list}\n\n${name} <subcommand> --help says more.\nExit status: 0 done; 1 failed, differences or faults found; 2 wrong usage.`,
  );
  const args = await parseArgs(parser, context.argv);
  if (args === null) return EXIT.ok;
  throw usageError('say what to do', `Subcommands: ${names.join(', ')}.`);
}

/** Signals are still caught only once the command asks. */
export function withArgv(context: CommandContext, argv: readonly string[]): CommandContext {
  return {
    argv,
    get signal() {
      return context.signal;
    },
  };
}
