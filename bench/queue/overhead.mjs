/**
 * What the queue costs one worker at 64 pictures a shard: `node bench/queue/overhead.mjs device|commands [rounds] [pictures]
 * [file]`, with a server at BLIP2_QUEUE. Each round has three runs in turns: alone, alone again, and of the queue; the second
 * says how much two equal runs differ. Rounds are added to the file, and all that are in it are summed up.
 *
 * `device`: a model that takes 4 ms a picture, 8 at a time, as an accelerator does: whatever keeps it waiting takes longer. The
 * code of both commands runs in this process, whose CPU time is counted, too.
 * `commands`: `blip2-run --out` and `queue work` with the demo's model, CPU time of all their processes; adding is timed apart:
 * whoever starts a run does it once.
 */
import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, medianRatio } from '../paired-ratios.mjs';
import { fixedTimeWorker } from './fixed-time-worker.mjs';
import { runAlone, runQueued } from './runs-in-process.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODEL = join(ROOT, 'models/demo');
const SHARD_SIZE = 64;
const PICTURE_MS = 4;
const url = process.env.BLIP2_QUEUE ?? 'redis://127.0.0.1:6379';
const [mode = 'device', rounds = '10', pictures = '640', file] = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), 'blip2-overhead-'));
const names = (await readdir(join(MODEL, 'pictures'))).sort((a, b) => (a < b ? -1 : 1));
const paths = Array.from({ length: Number(pictures) }, (_, index) =>
  join(MODEL, 'pictures', names[index % names.length]),
);
const list = join(scratch, 'list.jsonl');
await writeFile(list, paths.map((path) => JSON.stringify({ path })).join('\n'));

/** @returns seconds of a command and of all of its processes, by the clock and of CPU time */
async function command(...args) {
  const began = performance.now();
  const times = join(scratch, 'times');
  // The shell waits for the command and its model, and knows what both took.
  const words = ['-c', 'TIMEFORMAT="%U %S"; { time "$@"; } 2>"$0"', times, process.execPath];
  const child = spawn('bash', [...words, join(ROOT, 'dist/cli/blip2-run.js'), ...args, '-q'], { stdio: 'ignore' });
  const code = await new Promise((resolve) => child.on('close', resolve));
  const written = await readFile(times, 'utf8');
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${written}`);
  const [user, system] = written.trim().split('\n').at(-1).split(' ').map(Number);
  return { cpu: user + system, wall: (performance.now() - began) / 1000 };
}

async function here(run) {
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  await run({ paths, shardSize: SHARD_SIZE, openWorker: () => Promise.resolve(fixedTimeWorker(PICTURE_MS)) });
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1e6, wall: (performance.now() - began) / 1000 };
}

let folders = 0;
const flags = [`-m=${MODEL}`, `--shard-size=${SHARD_SIZE}`];
const alone = () => {
  const out = join(scratch, `alone${folders++}`);
  return mode === 'device' ? here((work) => runAlone({ ...work, out })) : command(list, ...flags, `--out=${out}`);
};
const queued = async () => {
  const out = join(scratch, `queue${folders++}`);
  if (mode === 'device') {
    const run = await runQueued({ paths, shardSize: SHARD_SIZE, out, url });
    const times = await here(run.work);
    await run.close();
    return times;
  }
  await command('queue', 'add', list, ...flags, `--out=${out}`, `--queue=${url}`);
  return command('queue', 'work', `-m=${MODEL}`, `--out=${out}`, `--queue=${url}`);
};

const kinds = [
  ['alone', alone],
  ['again', alone],
  ['queue', queued],
];
const made = [];
// What is compiled and loaded on the way is no part of a run.
if (mode === 'device') for (const [, run] of kinds) await run();
for (let round = 0; round < Number(rounds); round++) {
  const times = {};
  for (let turn = 0; turn < kinds.length; turn++) {
    const [name, run] = kinds[(turn + round) % kinds.length];
    times[name] = await run();
  }
  made.push(times);
  if (file !== undefined) await appendFile(file, `${JSON.stringify(times)}\n`);
}
await rm(scratch, { recursive: true });

const all = file === undefined ? made : (await readFile(file, 'utf8')).trimEnd().split('\n').map(JSON.parse);
const shards = Number(pictures) / SHARD_SIZE;
console.log(`${mode}: ${all.length} rounds of ${pictures} pictures`);
for (const key of ['wall', 'cpu']) {
  const of = (name) => all.map((times) => times[name][key]);
  const ms = (name) => ((1000 * median(of(name))) / shards).toFixed(2);
  console.log(`${key}: ms a shard ${['alone', 'again', 'queue'].map((name) => `${name} ${ms(name)}`).join(', ')}`);
  for (const name of ['again', 'queue']) {
    const ratio = medianRatio(all.map((times) => times[name][key] / times.alone[key]));
    const [low, high] = [ratio.low, ratio.high].map((value) => value.toFixed(4));
    console.log(`${key}: ${name} / alone ${ratio.median.toFixed(4)}, 95 % of medians ${low} to ${high}`);
  }
  const more = all.map((times) => (1000 * (times.queue[key] - (times.alone[key] + times.again[key]) / 2)) / shards);
  const extra = medianRatio(more);
  console.log(
    `${key}: queue - alone ${extra.median.toFixed(2)} ms a shard, ${extra.low.toFixed(2)} to ${extra.high.toFixed(2)}`,
  );
}
