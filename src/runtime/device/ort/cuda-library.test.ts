import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { missingCudaLibrary } from './cuda-library.js';

it.skipIf(process.arch !== 'x64')('says what fetches the library, by a path that is there', () => {
  const [, script = ''] = /: node (.+) fetches it$/.exec(missingCudaLibrary()) ?? [];
  expect(existsSync(script), script).toBe(true);
});
