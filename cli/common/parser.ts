import yargs, { type Argv } from 'yargs';
import packageJson from '../../package.json' with { type: 'json' };
import { reasonOf } from '../../src/errors.js';
import { didYouMean } from './closest.js';
import { columnsOf } from './columns.js';
import { asksForWords, flagWords } from './completion.js';
import { usageError } from './main.js';
import { writeOut } from './write-out.js';

/** Stands for a lone `-` while yargs reads the line, which would drop it; no argument of a process can hold this. */
const LONE_DASH = '\0';

/** The parser of a command that takes flags and positionals, `usage` names the latter. */
export function createParser(name: string, usage: string, description: string): Argv {
  // In the order in which the help is to have them: flags without a group stand with what a subcommand alone takes.
  return strictParser(name).group([], 'Positionals:').group([], 'Options:').command(usage, description);
}

/**
 * A yargs parser with the settings that make it strict: usage errors are ours to print, and messages do not follow the
 * locale. Flags that make lists want `nargs: 1`, so that they cannot swallow a positional.
 */
export function strictParser(name: string): Argv {
  return yargs([])
    .scriptName(name)
    .locale('en')
    .updateStrings({ 'Implications failed:': 'Missing dependent arguments:', 'Commands:': 'Subcommands:' })
    .strict()
    .exitProcess(false)
    .parserConfiguration({ 'boolean-negation': false })
    .help()
    .alias('help', 'h')
    .version(packageJson.version)
    .alias('version', ['v', 'V'])
    .wrap(Math.max(40, Math.min(80, columnsOf(process.stdout))));
}

/**
 * Parses `argv`. Returns null when what was asked for is printed on stdout: help, the version, or how an unfinished line may
 * go on.
 * @param lists the flags and positionals that take several values; any other one that is repeated is refused.
 * @throws Blip2Error `USAGE`, also in place of what a flag's `coerce` threw.
 */
export async function parseArgs<T>(parser: Argv<T>, argv: readonly string[], lists: readonly string[] = []) {
  if (asksForWords(argv)) {
    await writeOut((await flagWords(parser, argv.slice(1), lists)).map((word) => `${word}\n`).join(''));
    return null;
  }
  let text = '';
  try {
    const words = argv.map((word) => (word === '-' ? LONE_DASH : word));
    const parsed = await parser
      .group(['help', 'version'], 'Help:')
      .fail(false)
      .parseAsync(words, {}, (_error, _argv, output) => {
        text = output;
      });
    if (text === '') {
      refuseRepeats(parsed, lists);
      return withDashes(parsed);
    }
  } catch (error) {
    // yargs wraps what `coerce` throws in an error of its own that keeps the message only.
    const message = reasonOf(error);
    refuseRepeatedWords(argv, lists);
    await refuseDashedValue(parser, message, argv);
    await nameWhatIsMissing(parser, message);
    await refuseOtherChoice(parser, message);
    throw usageError(
      message.replaceAll(LONE_DASH, '-').replaceAll(JSON.stringify(LONE_DASH), '"-"').trim().replaceAll(/\s+/g, ' '),
      `${didYouMean(...(await unknownFlags(parser, argv)))}${await moreIn(parser)}`,
    );
  }
  process.stdout.write(`${text}\n`);
  return null;
}

function withDashes<T extends object>(parsed: T): T {
  const restored = (value: unknown): unknown =>
    value === LONE_DASH ? '-' : Array.isArray(value) ? value.map(restored) : value;
  return Object.fromEntries(Object.entries(parsed).map(([flag, value]) => [flag, restored(value)])) as T;
}

/** The flags of a line that the parser does not have, and those that it has. */
async function unknownFlags<T>(
  parser: Argv<T>,
  argv: readonly string[],
): Promise<[readonly string[], readonly string[]]> {
  const known = await parser.getCompletion(['--']);
  const given = argv.flatMap((word) => /^--[^=]+/.exec(word)?.[0] ?? []).map(kebab);
  return [given.filter((flag) => !known.includes(flag)), known];
}

/** yargs takes a word that begins with a dash for a flag, and says of `--vram -5G` that arguments are missing. */
async function refuseDashedValue<T>(parser: Argv<T>, message: string, argv: readonly string[]): Promise<void> {
  const flag = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (flag === undefined) return;
  const value = argv[argv.lastIndexOf(dashed(flag)) + 1] ?? '';
  const needs = /^-\d/.test(value) ? `takes no value such as ${value}` : 'needs a value';
  throw usageError(`${dashed(flag)} ${needs}`, await moreIn(parser));
}

/** yargs counts positionals, and the usage has their names. */
async function nameWhatIsMissing<T>(parser: Argv<T>, message: string): Promise<void> {
  const count = /^Not enough non-option arguments: got (\d+)/.exec(message)?.[1];
  if (count === undefined) return;
  const [usage = ''] = (await parser.getHelp()).split('\n');
  const name = [...usage.matchAll(/<[^>]+>/g)][Number(count)]?.[0];
  if (name !== undefined) throw usageError(`${name} is missing: ${usage}`, await moreIn(parser));
}

/** yargs says `Argument: format, Given: "json", Choices: "jsonl", ...`, on a line each. */
async function refuseOtherChoice<T>(parser: Argv<T>, message: string): Promise<void> {
  const [, key = '', value = '', listed] =
    /Argument: (\S+), Given: "?(.*?)"?, Choices: (.+)/.exec(message.replaceAll(LONE_DASH, '-')) ?? [];
  if (listed === undefined) return;
  const choices = listed.replaceAll('"', '').split(', ');
  const [usage = ''] = (await parser.getHelp()).split('\n');
  const name = new RegExp(`[<[]${key}[\\].>]`).test(usage) ? `<${key}>` : dashed(key);
  throw usageError(
    `${name} ${value} is none of ${choices.join(', ')}`,
    `${didYouMean([value], choices)}${await moreIn(parser)}`,
  );
}

/** What to type for the flags: the help begins with the command's own name, then its positionals. */
async function moreIn<T>(parser: Argv<T>): Promise<string> {
  const [name = ''] = (await parser.getHelp()).split(/ [<[]|\n/);
  return `${name} --help has the flags.`;
}

/** yargs makes an array of any flag that is given twice, whatever its type. */
function refuseRepeats(parsed: object, lists: readonly string[]): void {
  for (const [flag, value] of Object.entries(parsed)) {
    if (!Array.isArray(value) || flag === '_' || lists.includes(kebab(flag))) continue;
    throw givenAgain(dashed(kebab(flag)), value.length);
  }
}

/** A flag whose `coerce` takes the array for a wrong value: `--seed takes a whole number, not ["1","2"]`. */
function refuseRepeatedWords(argv: readonly string[], lists: readonly string[]): void {
  const flags = argv.flatMap((word) => /^--[^=]+/.exec(word)?.[0] ?? []);
  for (const flag of flags) {
    const times = flags.filter((other) => other === flag).length;
    if (times > 1 && !lists.includes(kebab(flag.slice(2)))) throw givenAgain(flag, times);
  }
}

const givenAgain = (flag: string, times: number) => usageError(`${flag} is given ${times} times and takes one value`);

const dashed = (flag: string): string => (flag.length === 1 ? `-${flag}` : `--${flag}`);

/** yargs gives a flag under its name and in camel case. */
const kebab = (flag: string): string => flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** For `coerce`: yargs turns `--batch x` into NaN in silence. @param most what the flag may be, and why no more */
export function wholeNumber(
  flag: string,
  min: number,
  most: { readonly max: number; readonly why: string } = { max: Number.MAX_SAFE_INTEGER, why: '' },
): (value: unknown) => number | undefined {
  return (value) => {
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < min) {
      throw usageError(`--${flag} takes a whole number of at least ${min}, not ${JSON.stringify(value)}`);
    }
    if (number > most.max) throw usageError(`--${flag} is ${number}, and at most ${most.max}: ${most.why}`);
    return number;
  };
}
