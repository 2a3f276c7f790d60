/** `--page-lock`, from the flag to the Python that makes it true. */
import { describe, expect, it } from 'vitest';
import { command, DEMO } from './command.js';

const asked = ['--vram', '4G', '--gpu', 'H200', '--engine', 'transformers'];
const plan = (...args: string[]) => command('blip2-plan', args);

describe('blip2-plan --page-lock', () => {
  it('is priced, said, and written into the Python', async () => {
    const { code, stdout, stderr } = await plan(...asked, '--page-lock', '-f', 'python');
    expect(code).toBe(0);
    expect(stderr).toContain('assumed: What is streamed from host memory is page-locked there');
    expect(stderr).not.toContain('--page-lock');
    expect(stdout.match(/page_lock\(model\)/g)).toHaveLength(2);
    expect(stdout.endsWith('\npage_lock(model)\n')).toBe(true);
  });

  it('is named where it would pay, with what the same map takes then, but in no document', async () => {
    const [pageable, locked] = await Promise.all([plan(...asked, '--json'), plan(...asked, '--page-lock', '--json')]);
    const line = /^page-locked \(--page-lock\), the same map is predicted to take (.+)$/m.exec(pageable.stderr);
    expect(line?.[1]).toMatch(/^\d+ ms$/);
    expect(pageable.stdout).not.toMatch(/page-?lock/i);
    const latencyMs = (text: string) => (JSON.parse(text) as { cost: { latencyMs: number } }).cost.latencyMs;
    expect(Number.parseInt(line?.[1] ?? '')).toBeGreaterThanOrEqual(Math.floor(latencyMs(locked.stdout)));
    expect(Number.parseInt(line?.[1] ?? '')).toBeLessThan(latencyMs(pageable.stdout) / 1.3);
    // Where nothing is streamed, and of the engine that locks by itself.
    for (const args of [
      ['--vram', '10G', '--engine', 'transformers'],
      ['--vram', '4G'],
    ])
      expect((await plan(...args)).stderr).not.toContain('page-lock');
    expect((await plan(...asked, '--json', '-q')).stderr).toBe('');
  });

  it('is refused for the engine that does so by itself', async () => {
    for (const args of [
      [DEMO, '--vram', '4M'],
      ['--vram', '4G', '--engine', 'blip2-run'],
    ]) {
      const { code, stdout, stderr } = await plan(...args, '--page-lock');
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('--page-lock is for transformers: blip2-run page-locks what it streams by itself');
      expect(stderr).toContain('Leave --page-lock out');
    }
  });

  it('makes every point of a sweep faster', async () => {
    const sweep = async (...flags: string[]) => {
      const { code, stdout } = await plan('sweep', '2G..4G', ...asked.slice(2), ...flags, '--json');
      expect(code).toBe(0);
      return JSON.parse(stdout) as { latencyMs: number }[];
    };
    const [pageable, locked] = await Promise.all([sweep(), sweep('--page-lock')]);
    expect(locked.length).toBeGreaterThan(2);
    for (const [i, { latencyMs }] of locked.entries())
      expect(latencyMs).toBeLessThan((pageable[i]?.latencyMs ?? 0) / 2);
  });
});
