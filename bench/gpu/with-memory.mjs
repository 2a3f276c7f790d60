import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The driver's library counts all cards, whichever of them CUDA may see. */
const FIRST_GPU = Number(process.env['CUDA_VISIBLE_DEVICES']?.split(',')[0] ?? 0);

/** What `perform` answers, and what a GPU had in use at the start and at most meanwhile, where its driver tells. */
export async function withMemory(perform, gpu = FIRST_GPU) {
  const watcher = spawn(process.execPath, [join(import.meta.dirname, 'watch-memory.mjs'), String(gpu)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: watcher.stdout });
  const said = [];
  lines.on('line', (line) => said.push(line));
  await Promise.race([once(lines, 'line'), once(watcher, 'exit')]);
  try {
    const outcome = await perform();
    return { outcome, ...(await memory()) };
  } finally {
    watcher.stdin.destroy();
  }

  async function memory() {
    watcher.stdin.end();
    if (watcher.exitCode === null) await once(watcher, 'exit');
    const line = said.find((each) => each.startsWith('{'));
    return line === undefined ? {} : JSON.parse(line);
  }
}
