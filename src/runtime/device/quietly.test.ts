import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** What a process writes to stderr that says one thing natively before, one inside and one after. */
function said(env: NodeJS.ProcessEnv = {}): string {
  const script = `
    import koffi from 'koffi';
    import { quietly } from ${JSON.stringify(new URL('../../../dist/src/runtime/device/quietly.js', import.meta.url).href)};
    const write = koffi.load(null).func('intptr_t write(int, str, size_t)');
    write(2, 'a', 1);
    const result = quietly(() => write(2, 'b', 1));
    try {
      quietly(() => { throw new Error('c'); });
    } catch (error) {
      process.stderr.write(error.message + result);
    }`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return stderr;
}

describe.skipIf(process.platform === 'win32')('quietly', () => {
  it('lets native code say nothing, and gives stderr back', () => {
    expect(said({ BLIP2_DEBUG: undefined })).toBe('ac1');
  });

  it('lets it speak where somebody looks for a fault', () => {
    expect(said({ BLIP2_DEBUG: '1' })).toBe('abc1');
  });
});
