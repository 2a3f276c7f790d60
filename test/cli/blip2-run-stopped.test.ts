import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashesIn, modelsOf, recordsIn, startRun } from '../bulk/bulk-runs.js';
import { DEMO, ROOT, script } from './command.js';

const PICTURES = `${DEMO}/pictures`;

let scratch: string;
let made = 0;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-stopped-test-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const fresh = (): string => join(scratch, `out${made++}`);

describe('a run that is interrupted', () => {
  it('does not wait for the end of its list', async () => {
    const args = [script('blip2-run'), '-', '-m', DEMO, '--out', fresh()];
    const run = spawn(process.execPath, args, { cwd: ROOT, stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = once(run, 'close');
    // More than a pipe holds: once all is taken, somebody reads it.
    await new Promise((resolve) => run.stdin.write('a.png\n'.repeat(50_000), resolve));
    run.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
  });

  it('keeps every caption that it has made', async () => {
    const list = join(scratch, 'interrupted.jsonl');
    const rows = Array.from({ length: 400 }, () => JSON.stringify({ path: 'shape-00.png' }));
    await writeFile(list, rows.join('\n'));
    const out = fresh();
    const flags = [list, '--image-root', PICTURES, '--threads', '1', '--out', out];
    const stopped = startRun(flags);
    const state = join(out, '.blip2-run');
    const lines = async (): Promise<number> => {
      const names = await readdir(state).catch(() => []);
      const journal = names.find((name) => /^00000\..*journal$/.test(name)) ?? '';
      return (await readFile(join(state, journal), 'utf8').catch(() => '')).split('\n').length - 1;
    };
    while ((await lines()) < 20) await setTimeout(20);
    process.kill(stopped.pid, 'SIGINT');
    // As `timeout` does where the first has arrived before it sends the second.
    await setTimeout(5);
    process.kill(stopped.pid, 'SIGINT');
    const { code, stderr } = await stopped.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^stopped after \d+ of 400 pictures: the same command goes on from what is in .+\n$/);
    const kept = await lines();
    expect(kept).toBeGreaterThanOrEqual(20);
    expect((await readdir(out)).filter((name) => !name.startsWith('.'))).toEqual([]);
    expect(await startRun(flags).ended).toMatchObject({ code: 0 });
    expect((await recordsIn(out)).map(({ text }) => text)).toEqual(
      rows.map(() => 'a small red ring above a small red circle on a white background'),
    );
  });
});

/** @returns false for a process that has ended by itself */
function endedByUs(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Captions that a run has on disk, of shards that are finished and of others; -1 before it has begun. */
async function captionsIn(folder: string): Promise<number> {
  const state = join(folder, '.blip2-run');
  const begun = await readdir(state).catch(() => null);
  if (begun?.includes('run.json') !== true) return -1;
  let lines = 0;
  for (const place of [folder, state]) {
    for (const name of (await readdir(place)).filter((file) => /^\d{5}.*\.(jsonl|journal)$/.test(file))) {
      // A journal is gone once its shard is finished.
      lines += (await readFile(join(place, name), 'utf8').catch(() => '')).split('\n').length - 1;
    }
  }
  return lines;
}

describe('a run that is killed', () => {
  it.each([
    ['jsonl', 'parent'],
    ['parquet', 'parent'],
    // Models of a process are found by their parent's number on Linux alone.
    ...(process.platform === 'linux' ? [['jsonl', 'worker']] : []),
  ])('goes on to what an undisturbed run writes (%s, %s)', async (format, who) => {
    const list = join(scratch, 'many.jsonl');
    const paths = Array.from({ length: 60 }, (_, index) => `shape-${String(index % 16).padStart(2, '0')}`);
    const rows = paths.map((name) => JSON.stringify({ path: `${name}.${/04|09|14/.test(name) ? 'jpg' : 'png'}` }));
    await writeFile(list, rows.join('\n'));
    const flags = [list, '--image-root', PICTURES, '--format', format, '--shard-size', '5', '--threads', '1'];
    const [calm, killed] = [join(scratch, `calm-${format}`), fresh()];
    // The second time there is nothing left to do.
    expect(await startRun([...flags, '--out', calm]).ended).toMatchObject({ code: 0 });
    let kills = 0;
    for (let attempt = 0; attempt < 12; attempt++) {
      const before = Math.max(0, await captionsIn(killed));
      const disturbed = startRun([...flags, '--out', killed, '--workers', '2']);
      const enough = before + ((attempt * 13) % 40);
      while (disturbed.isRunning() && (await captionsIn(killed)) < enough) await setTimeout(20);
      if (who === 'parent') kills += disturbed.kill() ? 1 : 0;
      else for (const model of await modelsOf(disturbed.pid)) kills += endedByUs(model) ? 1 : 0;
      const { code } = await disturbed.ended;
      if (code === 0 && kills > 0) break;
      if (code === 0) await rm(killed, { recursive: true });
    }
    expect(kills).toBeGreaterThan(0);
    expect(await startRun([...flags, '--out', killed]).ended).toMatchObject({ code: 0 });
    expect(await hashesIn(killed)).toEqual(await hashesIn(calm));
  });
});
