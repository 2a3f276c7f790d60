/** A run that is interrupted ends at once and in silence, whichever of its two processes hears of it first. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEMO, ROOT, script } from './command.js';

/** Interrupts a run once it has written some words, and says how it ended. */
async function interrupted(signal: NodeJS.Signals, whom: 'all' | 'caller', afterChunks: number) {
  const pictures = Array.from({ length: 12 }, () => join(DEMO, 'pictures'));
  const child = spawn(process.execPath, [script('blip2-run'), ...pictures, '--model', DEMO, '--stream'], {
    cwd: ROOT,
    // A group of its own, as a terminal makes one of a command.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  let chunks = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.on('data', () => {
    chunks += 1;
    if (chunks === afterChunks) process.kill(whom === 'all' ? -(child.pid ?? 0) : (child.pid ?? 0), signal);
  });
  // The model's process holds stderr, too: it has closed once both are gone.
  const [code, endedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { end: code ?? endedBy, stderr };
}

it.each([
  ['SIGINT', 'all', 130],
  ['SIGTERM', 'all', 143],
  ['SIGTERM', 'caller', 143],
  ['SIGKILL', 'caller', 'SIGKILL'],
] as const)('%s to %s', async (signal, whom, end) => {
  for (const afterChunks of [1, 13]) {
    expect(await interrupted(signal, whom, afterChunks)).toEqual({ end, stderr: '' });
  }
});
