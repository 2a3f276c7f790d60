import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMap } from './read-map.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-map-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string): Promise<unknown> {
  const file = join(folder, 'map.json');
  await writeFile(file, text);
  return readMap(file);
}

describe('readMap', () => {
  // transformers 5.24 with torch 2.15: "device() received an invalid combination of arguments - got (float)".
  it.each(['1.0', '0.0', '1e0', '-0.0'])('refuses %s, which is a float to Python', async (number) => {
    const refused = { code: 'MAP_DEVICE', message: `"a.b": ${number} in the device map names no device.` };
    await expect(read(`{"a": "cpu", "a.b": ${number}}`)).rejects.toMatchObject(refused);
    await expect(read(`{"schema": "x", "device_map": {"a.b": ${number}}}`)).rejects.toMatchObject(refused);
  });

  it('refuses a key that stands twice', async () => {
    await expect(read('{"": 0, "a": 1, "": "cpu"}')).rejects.toMatchObject({
      code: 'MAP_KEY',
      message: '"" stands twice in the device map.',
    });
  });

  it.each([
    '{"": 1, "a": "cpu", "b": -1, "c": {"d": 1.0}}',
    '{"schema": "x", "gap": 0.5, "device_map": {"": 1}}',
    '[1.0]',
    '"auto"',
  ])('leaves %s to whoever reads it as a map', async (text) => {
    expect(await read(text)).toEqual(JSON.parse(text));
  });

  it('names the file that is none', async () => {
    await expect(read('{"\\ud800": 1}')).rejects.toMatchObject({ code: 'FILE_INVALID' });
  });
});
