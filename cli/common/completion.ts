/**
 * What can stand at the end of an unfinished line. The scripts of `completion-scripts.ts` ask for it by running the command
 * with `COMPLETE` and the words so far, the last of which is being typed: a line for each answer, as `word<TAB>what it is`.
 * No answer means the name of a file, and `OR_FILES` before answers that it may be one as well.
 */
import type { Argv } from 'yargs';

export const COMPLETE = '__complete';
export const OR_FILES = '/';

/** Stands for the command itself, where yargs counts positionals behind one. */
const COMMAND = 'command';

/** Whether the words of an unfinished line follow. */
export function asksForWords(argv: readonly string[]): boolean {
  return argv[0] === COMPLETE;
}

/**
 * Flags, and choices of flags and positionals, by what the parser knows.
 * @param lists the flags that may stand several times
 */
export async function flagWords<T>(
  parser: Argv<T>,
  line: readonly string[],
  lists: readonly string[],
): Promise<string[]> {
  const words = withoutEquals(line);
  const word = words.at(-1) ?? '';
  const [, joined = '', start = ''] = /^(--[^=]+=)(.*)$/s.exec(word) ?? [];
  if (word.startsWith('-') && joined === '') {
    const flags = await parser.getCompletion(['--']);
    const given = new Set(words.slice(0, -1).map((each) => each.replace(/=.*/s, '')));
    for (const list of lists) given.delete(`--${list}`);
    // yargs lists short names, too, with two dashes.
    return flags.filter((flag) => flag.startsWith(word) && nameOf(flag).length > 3 && !given.has(nameOf(flag)));
  }
  const before = joined === '' ? words.slice(0, -1) : [...words.slice(0, -1), joined.slice(0, -1)];
  const found = await parser.getCompletion([COMMAND, ...before, joined === '' ? word : start]);
  return found.filter((each) => !/^[-$]/.test(each)).map((each) => `${joined}${each}`);
}

/** yargs tells what each word is where it takes the shell for fish, which it asks when a parser is made. */
export function describeWords(): void {
  process.env['SHELL'] = 'fish';
}

const nameOf = (word: string): string => word.split('\t')[0] ?? word;

/** bash takes `--format=json` for three words. */
function withoutEquals(line: readonly string[]): string[] {
  const words = line.filter((word, i) => word !== '=' || !(line[i - 1] ?? '').startsWith('--'));
  return line.at(-1) === '=' && words.length < line.length ? [...words, ''] : words;
}
