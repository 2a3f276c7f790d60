import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { firstDifference } from './first-difference.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'first-difference-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function list(name: string, ...pictures: readonly object[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, pictures.map((picture) => `${JSON.stringify(picture)}\n`).join(''));
  return path;
}

const files = (names: string) => names.split('').map((name) => ({ name, beneath: name }));
const row = (footer: string) => ({ parquet: 'a.parquet', column: 'image', row: 0, footer });

it.each([
  ['abcd', 'abcd', null],
  ['abcd', 'acd', 'b is gone'],
  ['abcd', 'abc', 'd is gone'],
  ['acd', 'abcd', 'b is new'],
  ['abc', 'abcd', 'd is new'],
  ['abc', 'axc', 'x is in place of b'],
])('%s becomes %s: %s', async (then, now, said) => {
  expect(await firstDifference(await list('then', ...files(then)), await list('now', ...files(now)))).toBe(said);
});

it('tells pictures by their names, and says of what has the same name how it differs', async () => {
  const then = await list('then', ...files('abc'));
  const elsewhere = { name: 'a', beneath: 'x/a' };
  expect(await firstDifference(then, await list('now', elsewhere))).toBe('b is gone');
  expect(await firstDifference(then, await list('now', elsewhere, ...files('bc')))).toBe('a is named in another way');
});

it('says that a table has changed, and nothing of a list that is not there', async () => {
  const now = await list('now', row('2'));
  expect(await firstDifference(await list('then', row('1')), now)).toBe('row 0 of a.parquet has changed');
  expect(await firstDifference(join(folder, 'none'), now)).toBeNull();
});
