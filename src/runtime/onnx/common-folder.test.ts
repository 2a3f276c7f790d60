import { describe, expect, it } from 'vitest';
import { commonFolder } from './common-folder.js';

describe.skipIf(process.platform === 'win32')('commonFolder', () => {
  it.each([
    [['/a/b/x'], '/a/b'],
    [['/a/b/x', '/a/b/y'], '/a/b'],
    [['/a/b/x', '/a/c/y'], '/a'],
    [['/a/b/c/x', '/a/b/y'], '/a/b'],
    [['/a/bc/x', '/a/b/y'], '/a'],
    [['/a/x', '/b/y'], '/'],
  ])('%j: %s', (files, folder) => {
    expect(commonFolder(files)).toBe(folder);
    expect(commonFolder(files.toReversed())).toBe(folder);
  });
});
