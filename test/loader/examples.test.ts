import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../examples', import.meta.url));

describe('examples', () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.mjs')))(
    '%s runs and agrees with itself',
    async (name) => {
      const { stdout } = await promisify(execFile)(process.execPath, [`${folder}/${name}`]);
      expect(stdout).not.toBe('');
    },
  );
});
