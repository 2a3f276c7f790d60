import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readLines } from './read-lines.js';

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let begin = 0;
  for (const size of [...sizes, bytes.length]) {
    yield await Promise.resolve(bytes.subarray(begin, begin + size));
    begin += size;
  }
}

const all = async (bytes: Uint8Array, sizes: readonly number[] = []) => {
  const lines: string[] = [];
  for await (const line of readLines(cut(bytes, sizes))) lines.push(line);
  return lines;
};

it('ends lines at line feeds alone, wherever the bytes are cut', async () => {
  const text = '\uFEFF{"a": "b\u2028c\u2029d\u0085e\u000Bf"}\r\n\n{"g": "\u{1F600}"}\r\nlast';
  const expected = ['{"a": "b\u2028c\u2029d\u0085e\u000Bf"}', '', '{"g": "\u{1F600}"}', 'last'];
  const bytes = Buffer.from(text);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9)), async (sizes) => {
      expect(await all(bytes, sizes)).toEqual(expected);
    }),
  );
  expect(await all(Buffer.from('a\n\n'))).toEqual(['a', '']);
  expect(await all(Buffer.from(''))).toEqual([]);
});
