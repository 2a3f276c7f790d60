import { existsSync } from 'node:fs';
import { didYouMean } from './closest.js';
import { asksForWords, COMPLETE, describeWords, OR_FILES } from './completion.js';
import { EXIT, usageError, type CommandContext } from './main.js';
import { parseArgs, strictParser } from './parser.js';
import { writeOut } from './write-out.js';

export type Subcommand = (context: CommandContext) => Promise<number>;

export interface SubcommandEntry {
  /** Its positionals, for the help. */
  readonly takes?: string;
  readonly describe: string;
  /** Its code, which is loaded when it is asked for. */
  readonly load: () => Promise<Subcommand>;
}

/** By their names. */
export type Subcommands = ReadonlyMap<string, SubcommandEntry>;

export const subcommandsOf = (entries: Readonly<Record<string, SubcommandEntry>>): Subcommands =>
  new Map(Object.entries(entries));

export interface CommandTree {
  readonly name: string;
  readonly describe: string;
  readonly subcommands: Subcommands;
  /** The subcommand that a line means whose first word names none; without it such a line is refused. */
  readonly usual?: string;
  readonly examples: readonly (readonly [line: string, what: string])[];
  readonly epilogue: string;
}

/** What asks for the help of all, and not of the usual subcommand. */
const HELP = ['--help', '-h'];

/** Runs the subcommand that the first word names. @throws Blip2Error `USAGE` where there is none */
export async function runSubcommand(tree: CommandTree, context: CommandContext): Promise<number> {
  if (asksForWords(context.argv)) return completeWords(tree, context);
  const { subcommands, usual } = tree;
  const [word = '', ...rest] = context.argv;
  const subcommand = subcommands.get(word);
  if (subcommand !== undefined) return (await subcommand.load())(withArgv(context, rest));
  const names = [...subcommands.keys()];
  if (word !== '' && !word.startsWith('-')) refuseMistyped(word, names, usual !== undefined);
  const standsFor = usual === undefined || HELP.includes(word) ? undefined : subcommands.get(usual);
  if (standsFor !== undefined) return (await standsFor.load())(context);
  const args = await parseArgs(overview(tree), context.argv);
  if (args === null) return EXIT.ok;
  throw usageError('say what to do', `Subcommands: ${names.join(', ')}.`);
}

/** @param mayBeOther whether a word that names no subcommand means something else */
function refuseMistyped(word: string, names: readonly string[], mayBeOther: boolean): void {
  const meant = mayBeOther && existsSync(word) ? '' : didYouMean([word], names);
  if (mayBeOther && meant === '') return;
  throw usageError(`there is no subcommand "${word}"`, `${meant}Subcommands: ${names.join(', ')}.`);
}

/** The words that can stand at the end of an unfinished line: of this tree, or of the subcommand that it names. */
async function completeWords({ name, subcommands, usual }: CommandTree, context: CommandContext) {
  describeWords();
  const [, word = '', ...rest] = context.argv;
  const subcommand = rest.length === 0 ? undefined : subcommands.get(word);
  if (subcommand !== undefined) return (await subcommand.load())(withArgv(context, [COMPLETE, ...rest]));
  if (rest.length === 0 && !word.startsWith('-')) {
    const begun = [...subcommands].filter(([each]) => each.startsWith(word));
    const lines = begun.map(([each, { describe: what }]) => `${each}\t${what}\n`);
    await writeOut([...(usual === undefined ? [] : [`${OR_FILES}\n`]), ...lines].join(''));
    return EXIT.ok;
  }
  const standsFor = usual === undefined ? undefined : subcommands.get(usual);
  if (standsFor !== undefined) return (await standsFor.load())(context);
  await parseArgs(strictParser(name), context.argv);
  return EXIT.ok;
}

function overview({ name, describe, subcommands, usual, examples, epilogue }: CommandTree) {
  const parser = strictParser(name).usage(`$0 <subcommand>\n\n${describe}`);
  for (const [word, { takes, describe: what }] of subcommands) {
    parser.command(takes === undefined ? word : `${word} ${takes}`, what);
  }
  for (const [line, what] of examples) parser.example(line, what);
  const flags = `${name} <subcommand> --help has the flags of each.`;
  const first = usual === undefined ? flags : `Without a subcommand it is ${usual}. ${flags}`;
  return parser.epilogue(`${first}\n${epilogue}`);
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
