/** The help of every subcommand fits its terminal and shows examples. */
import { describe, expect, it } from 'vitest';
import { command } from './command.js';
import { commandsInTurn } from './commands-in-turn.js';

type Line = readonly [name: string, ...words: string[]];

async function help([name, ...words]: Line): Promise<string> {
  const { code, stdout, stderr } = await command(name, [...words, '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

interface Helped {
  readonly name: string;
  readonly line: Line;
  readonly text: string;
}

/** A line and those of its subcommands, as the help names them, with the help of each. */
async function withSubcommands(line: Line): Promise<Helped[]> {
  const text = await help(line);
  const list = text.split('\nSubcommands:\n')[1]?.split('\n\n')[0] ?? '';
  const words = [...list.matchAll(new RegExp(`^  ${line.join(' ')} ([\\w-]+)`, 'gm'))].map(([, word = '']) => word);
  const below = await Promise.all(words.map((word) => withSubcommands([...line, word])));
  return [{ name: line.join(' '), line, text }, ...below.flat()];
}

const LINES = (
  await Promise.all((['blip2-plan', 'blip2-run', 'blip2-shard'] as const).map((name) => withSubcommands([name])))
).flat();

it('names every subcommand', () => {
  const lines = LINES.map(({ name }) => name);
  for (const word of ['plan', 'explain', 'diff', 'sweep', 'devices', 'calibrate', 'estimate', 'completion'])
    expect(lines).toContain(`blip2-plan ${word}`);
  for (const line of ['blip2-run caption', 'blip2-run queue work', 'blip2-shard cache']) expect(lines).toContain(line);
});

/** The same in a terminal of fifty columns. */
const NARROW = await commandsInTurn(
  LINES.map(({ line: [name, ...words] }) => [name, [...words, '--help']]),
  { columns: 50 },
);

describe.each(LINES.map((helped, i) => ({ ...helped, narrow: NARROW[i] })))('$name --help', ({ text, narrow }) => {
  it('fits 80 columns, and shows two to five examples', () => {
    for (const each of text.split('\n')) expect(each.length, each).toBeLessThanOrEqual(80);
    const examples = text.split('\nExamples:\n')[1]?.split('\n\n')[0] ?? '';
    const begun = examples.split('\n').filter((each) => /^ {2}(?:source <\(|)blip2-(?:plan|run|shard)\b/.test(each));
    expect(begun.length, examples).toBeGreaterThanOrEqual(2);
    expect(begun.length, examples).toBeLessThanOrEqual(5);
  });

  it('has what it takes first, and last of its flags those of all commands', () => {
    const groups = text.split('\n').filter((each) => /^[A-Z]\S* ?\S*:$/.test(each) && each !== 'Examples:');
    if (groups.includes('Positionals:')) expect(groups[0]).toBe('Positionals:');
    expect(groups.at(-1)).toBe('Help:');
    const model = groups.indexOf('Model:');
    if (model !== -1) expect(groups.slice(0, model)).not.toContain('Output:');
  });

  it('fits a narrow terminal, but for words that are longer', () => {
    expect(narrow).toMatchObject({ code: 0, stderr: '' });
    for (const each of narrow?.stdout.split('\n') ?? []) {
      const words = each.trim().split(/\s+/).length;
      if (words > 2) expect(each.length, each).toBeLessThanOrEqual(50);
    }
  });
});

it('is as wide as COLUMNS says, from 40 to 80', async () => {
  const widest = async (columns: string) => {
    const { stdout } = await command('blip2-plan', ['--help'], { env: { COLUMNS: columns } });
    return Math.max(...stdout.split('\n').map(({ length }) => length));
  };
  expect(await widest('50')).toBeLessThanOrEqual(50);
  expect(await widest('10')).toBeLessThanOrEqual(40);
  expect(await widest('300')).toBe(await widest(''));
});
