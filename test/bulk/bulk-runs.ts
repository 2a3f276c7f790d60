/** Runs of `blip2-run` into folders, and what they leave there. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { DEMO, ROOT, script } from '../cli/command.js';

const record = z.object({
  file_name: z.string(),
  text: z.string().nullable(),
  error: z.string(),
});

export type ReadRecord = z.infer<typeof record>;

/** Rows of all JSONL files of a folder, in the order of their names. */
export async function recordsIn(folder: string): Promise<ReadRecord[]> {
  const names = (await readdir(folder)).filter((name) => /^\d+\.jsonl$/.test(name)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => record.parse(JSON.parse(line))),
  );
}

/** Path of every file below a folder -> hash of its bytes. */
export async function hashesIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const hashes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        const hash = createHash('sha256').update(await readFile(path));
        return [path.slice(folder.length + 1), hash.digest('hex')] as const;
      }),
  );
  return Object.fromEntries(hashes.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** A run that can be killed; its processes are children of one process group. */
export function startRun(args: readonly string[]) {
  const child = spawn(process.execPath, [script('blip2-run'), '-m', DEMO, '--no-progress', ...args], {
    cwd: ROOT,
    env: { ...process.env, BLIP2_PROFILE: 'none' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ code: number | null; signal: string | null; stderr: string }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
  return { pid: child.pid ?? 0, ended, kill: () => child.kill('SIGKILL'), isRunning: () => child.exitCode === null };
}

/** Process numbers of the models that a process has started, where the system tells (Linux). */
export async function modelsOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}
