import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RunFolder } from '../run/run-folder.js';
import { MetadataOutput } from './metadata-output.js';

const output = new MetadataOutput(new RunFolder('photos', null), false);
const target = (name: string): string => output.target({ name, beneath: name });

it('names pictures as loaders find them', () => {
  expect(target('photos/a b.png')).toBe('a b.png');
  expect(target(join('photos', 'in', 'a\nb.png'))).toBe('in/a\nb.png');
  const impossible = expect.objectContaining({ code: 'OUTPUT_IMPOSSIBLE' });
  for (const other of ['a.png', 'photos/../a.png', 'https://x.example/a.png']) {
    expect(() => target(other)).toThrow(impossible);
  }
});

it.skipIf(process.platform === 'win32')('refuses a backslash, which datasets looks for as a folder', () => {
  expect(() => target('photos/a\\b.png')).toThrow(expect.objectContaining({ code: 'OUTPUT_IMPOSSIBLE' }));
});
