import yargs, { type Argv } from 'yargs';
import packageJson from '../../package.json' with { type: 'json' };
import { usageError } from './main.js';

/**
 * A yargs parser with the settings that make it strict: usage errors are ours to print, and messages do not follow the
 * locale. Flags that make lists want `nargs: 1`, so that they cannot swallow a positional.
 */
export function createParser(name: string, usage: string, description: string): Argv {
  return yargs([])
    .scriptName(name)
    .command(usage, description)
    .locale('en')
    .updateStrings({ 'Implications failed:': 'Missing dependent arguments:' })
    .strict()
    .exitProcess(false)
    .parserConfiguration({ 'boolean-negation': false })
    .version(packageJson.version)
    .help()
    .alias({ h: 'help', v: 'version' })
    .wrap(Math.max(40, Math.min(100, process.stdout.columns ?? 100)));
}

/**
 * Parses `argv`. Returns null when help or the version was asked for and has been printed on stdout.
 * @param lists the flags and positionals that take several values; any other one that is repeated is refused.
 * @throws Blip2Error `USAGE`, also in place of what a flag's `coerce` threw.
 */
export async function parseArgs<T>(parser: Argv<T>, argv: readonly string[], lists: readonly string[] = []) {
  let text = '';
  try {
    const parsed = await parser.fail(false).parseAsync([...argv], {}, (_error, _argv, output) => {
      text = output;
    });
    if (text === '') {
      refuseRepeats(parsed, lists);
      return parsed;
    }
  } catch (error) {
    // yargs wraps what `coerce` throws in an error of its own that keeps the message only.
    const message = error instanceof Error ? error.message : String(error);
    refuseDashedValue(message, argv);
    throw usageError(message.trim().replaceAll(/\s+/g, ' '), 'Run with --help for the options.');
  }
  process.stdout.write(`${text}\n`);
  return null;
}

/** yargs takes a word that begins with a dash for a flag, and says of `--vram -5G` that something is missing. */
function refuseDashedValue(message: string, argv: readonly string[]): void {
  const flag = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  const value = flag === undefined ? undefined : argv[argv.lastIndexOf(`--${flag}`) + 1];
  if (value === undefined || !/^-\d/.test(value)) return;
  throw usageError(`--${flag} takes no value such as ${value}`, 'Run with --help for what it takes.');
}

/** yargs makes an array of any flag that is given twice, whatever its type. */
function refuseRepeats(parsed: object, lists: readonly string[]): void {
  for (const [flag, value] of Object.entries(parsed)) {
    if (!Array.isArray(value) || flag === '_' || lists.includes(kebab(flag))) continue;
    throw usageError(`--${kebab(flag)} is given ${value.length} times and takes one value`);
  }
}

/** yargs gives a flag under its name and in camel case. */
const kebab = (flag: string): string => flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** For `coerce`: yargs turns `--batch x` into NaN in silence. */
export function wholeNumber(flag: string, min: number): (value: unknown) => number | undefined {
  return (value) => {
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < min) {
      throw usageError(`--${flag} takes a whole number of at least ${min}, not ${JSON.stringify(value)}`);
    }
    return number;
  };
}
