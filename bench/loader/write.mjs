/**
 * Splitting and converting against copying, in one run, and the memory they take:
 *
 *   npm run build && node bench/make-checkpoint.mjs FOLDER && node bench/loader/write.mjs FOLDER SCRATCH [--once]
 *
 * Everything is written to SCRATCH, on the same disk, and reaches it: the copy is followed by `sync`, as the shards are
 * synced before they get their names. Medians of three rounds, the runs of a round one after the other; --once makes one
 * round of the split alone, for a checkpoint that is too large to write often.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder, scratch, ...flags] = process.argv.slice(2);
if (scratch === undefined) throw new Error('which checkpoint, and where to write?');
const once = flags.includes('--once');
const command = fileURLToPath(new URL('../../dist/cli/blip2-shard.js', import.meta.url));
const weights = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
const totalBytes = weights.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const perSecond = (bytes, seconds) => `${(bytes / seconds / 1e9).toFixed(2)} GB/s`;

/** Seconds of a process, and the most anonymous memory it had. */
async function measure(file, args) {
  rmSync(join(scratch, 'out'), { recursive: true, force: true });
  const startMs = performance.now();
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peakKiB = 0;
  const poll = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKiB = Math.max(peakKiB, Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended between two looks.
    }
  }, 10);
  const code = await new Promise((done) => child.once('close', done));
  clearInterval(poll);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return { seconds: (performance.now() - startMs) / 1000, peakMiB: peakKiB / 1024 };
}

const out = join(scratch, 'out');
const runs = {
  'cp, then sync': () =>
    measure('sh', [
      '-c',
      `mkdir -p ${out} && cp ${weights.map((name) => join(folder, name)).join(' ')} ${out} && sync ${out}/*`,
    ]),
  split: () => measure(process.execPath, [command, 'split', folder, out, '--max-shard-size', '2GiB', '-q']),
  'convert to float16': () => measure(process.execPath, [command, 'convert', folder, out, '--dtype', 'float16', '-q']),
  'convert to bfloat16': () =>
    measure(process.execPath, [command, 'convert', folder, out, '--dtype', 'bfloat16', '-q']),
};

const wanted = once ? ['split'] : Object.keys(runs);
const results = new Map(wanted.map((name) => [name, []]));
for (let round = 0; round < (once ? 1 : 3); round++) {
  // Warm: the source is in the page cache, if it fits.
  if (!once) execFileSync('sh', ['-c', `cat ${weights.map((name) => join(folder, name)).join(' ')} > /dev/null`]);
  for (const name of wanted) results.get(name).push(await runs[name]());
}
rmSync(out, { recursive: true, force: true });
console.log(`${(totalBytes / 1e9).toFixed(2)} GB in ${weights.length} files, Node ${process.versions.node}`);
for (const [name, rounds] of results) {
  const seconds = median(rounds.map((round) => round.seconds));
  const peakMiB = Math.max(...rounds.map((round) => round.peakMiB));
  console.log(
    `${name}: ${seconds.toFixed(2)} s, ${perSecond(totalBytes, seconds)} of source, anonymous memory at most ${peakMiB.toFixed(0)} MiB`,
  );
}
