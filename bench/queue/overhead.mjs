/**
 * What the queue costs one worker: `node bench/queue/overhead.mjs [pictures] [rounds] [redis://server]`. The same pictures, 64 a
 * shard, through `blip2-run --out` and through `queue add` and `queue work`, in turns; CPU seconds of all processes (user and
 * system), and seconds. Adding is timed apart: it is done once, by whoever starts a run.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODEL = join(ROOT, 'models/demo');
const [pictures = '2048', rounds = '5', url = 'redis://127.0.0.1:6379'] = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), 'blip2-overhead-'));
const names = (await readdir(join(MODEL, 'pictures'))).sort((a, b) => (a < b ? -1 : 1));
const list = join(scratch, 'list.jsonl');
const rows = Array.from({ length: Number(pictures) }, (_, index) => ({
  path: join(MODEL, 'pictures', names[index % names.length]),
}));
await writeFile(list, rows.map((row) => JSON.stringify(row)).join('\n'));

async function timed(...args) {
  const began = performance.now();
  const command = [process.execPath, join(ROOT, 'dist/cli/blip2-run.js'), ...args, '-q'];
  const times = join(scratch, 'times');
  // The shell waits for the command and its model, and knows what both took.
  const child = spawn('bash', ['-c', 'TIMEFORMAT="%U %S"; { time "$@"; } 2>"$0"', times, ...command], {
    stdio: 'ignore',
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${await readFile(times, 'utf8')}`);
  const [user, system] = (await readFile(times, 'utf8')).trim().split('\n').at(-1).split(' ').map(Number);
  return { cpu: user + system, wall: (performance.now() - began) / 1000 };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const results = { alone: [], add: [], work: [] };
for (let round = 0; round < Number(rounds); round++) {
  const flags = [`-m=${MODEL}`, '--shard-size=64'];
  const [alone, shared] = [join(scratch, `alone${round}`), join(scratch, `queue${round}`)];
  const first = async () => results.alone.push(await timed(list, ...flags, `--out=${alone}`));
  if (round % 2 === 0) await first();
  results.add.push(await timed('queue', 'add', list, ...flags, `--out=${shared}`, `--queue=${url}`));
  results.work.push(await timed('queue', 'work', `-m=${MODEL}`, `--out=${shared}`, `--queue=${url}`));
  if (round % 2 === 1) await first();
}
for (const [name, times] of Object.entries(results)) {
  const show = (key) => median(times.map((time) => time[key])).toFixed(2);
  console.log(`${name.padEnd(6)} CPU ${show('cpu')} s, wall ${show('wall')} s`);
}
for (const key of ['cpu', 'wall']) {
  const ratios = results.work.map((work, round) => work[key] / results.alone[round][key]);
  console.log(
    `work / alone, ${key}: ${ratios.map((ratio) => ratio.toFixed(3)).join(' ')}; median ${median(ratios).toFixed(3)}`,
  );
}
await rm(scratch, { recursive: true });
