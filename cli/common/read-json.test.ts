import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readJson } from './read-json.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-json-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each<[string, Buffer]>([
  ['as it is', Buffer.from('{"größe": 1}')],
  ['with a mark before it', Buffer.from('\uFEFF{"größe": 1}')],
  ['as PowerShell writes it', Buffer.from('\uFEFF{"größe": 1}\r\n', 'utf16le')],
])('reads JSON %s', async (_, bytes) => {
  const file = join(folder, 'file.json');
  await writeFile(file, bytes);
  expect(await readJson(file)).toEqual({ größe: 1 });
});

it('names the file that is none', async () => {
  await expect(readJson(join(folder, 'absent.json'))).rejects.toMatchObject({
    code: 'FILE_INVALID',
    message: expect.stringContaining('absent.json cannot be read as JSON: there is no such file'),
  });
});
