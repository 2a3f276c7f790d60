/**
 * How fast this machine reads memory: every thread looks for a byte that is not there (memchr) in 512 MiB of its own.
 * Returns bytes per second of all threads together, the best of `rounds`, because a sweep is what the machine can do.
 */
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

const BYTES = 1 << 29;

export async function memorySweep(threads, rounds = 5) {
  const workers = Array.from({ length: threads }, () => new Worker(new URL(import.meta.url)));
  const answers = () => Promise.all(workers.map((worker) => new Promise((done) => worker.once('message', done))));
  await answers();
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const swept = answers();
    for (const worker of workers) worker.postMessage('sweep');
    await swept;
    best = Math.max(best, (threads * BYTES * 1000) / (performance.now() - began));
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  return best;
}

if (!isMainThread) {
  const memory = Buffer.alloc(BYTES, 1);
  parentPort.on('message', () => parentPort.postMessage(memory.indexOf(0)));
  parentPort.postMessage('ready');
}
