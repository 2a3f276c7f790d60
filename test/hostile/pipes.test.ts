/** What is no file in place of one: a pipe that nobody writes into, a device that never ends, a folder. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captionWith } from './hostile-checkpoint.js';

const FILES: readonly (readonly [string, string])[] = [
  ['config.json', 'CONFIG_INVALID'],
  ['model.safetensors.index.json', 'INDEX_INVALID'],
  ['model-00002-of-00003.safetensors', 'IO_ERROR'],
  ['tokenizer.json', 'CHECKPOINT_FILE_MISSING'],
  ['tokenizer_config.json', 'CHECKPOINT_FILE_MISSING'],
  ['processor_config.json', 'CHECKPOINT_FILE_MISSING'],
];

describe.skipIf(process.platform === 'win32')('in place of a file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'blip2-pipe-'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(FILES)('%s: a pipe, a device or a folder is %s', async (name, code) => {
    for (const target of [join(folder, 'pipe'), '/dev/zero', folder]) {
      expect(await captionWith({}, { [name]: target }), target).toBe(code);
    }
  });
});
