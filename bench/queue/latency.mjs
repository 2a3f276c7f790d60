/**
 * Seconds that a fleet waits: `node bench/queue/latency.mjs [rounds] [redis://server]` (Linux). From SIGTERM to exit (--grace 20,
 * with shards in hand), from SIGKILL of a worker to its shards waiting again (--lock 10, another worker there), from a worker's start to its
 * first finished shard of 16 pictures.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MODEL = join(ROOT, 'models/demo');
const COMMAND = join(ROOT, 'dist/cli/blip2-run.js');
const [rounds = '5', url = 'redis://127.0.0.1:6379'] = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), 'blip2-latency-'));
const names = await readdir(join(MODEL, 'pictures'));
const list = join(scratch, 'list.jsonl');
const rows = Array.from({ length: 16_000 }, (_, index) => ({
  path: join(MODEL, 'pictures', names[index % names.length]),
}));
await writeFile(list, rows.map((row) => JSON.stringify(row)).join('\n'));

function start(...args) {
  const child = spawn(process.execPath, [COMMAND, 'queue', ...args, `--queue=${url}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let [text, seen] = ['', () => undefined];
  child.stderr.setEncoding('utf8').on('data', (chunk) => ((text += chunk), seen()));
  return {
    child,
    ended: new Promise((resolve) => child.on('close', resolve)),
    /** When the event comes, of this shard where one is given. */
    sees: (event, shard) =>
      new Promise((resolve) => {
        seen = () => {
          const found = text
            .split('\n')
            .find(
              (line) =>
                line.includes(`"${event}"`) &&
                (shard === undefined || line.includes(`"shard":${shard}}`) || line.includes(`"shard":${shard},`)),
            );
          if (found !== undefined) resolve(JSON.parse(found));
        };
        seen();
      }),
  };
}

const results = { stop: [], lost: [], first: [] };
const out = join(scratch, 'out');
await start('add', list, `-m=${MODEL}`, '--shard-size=16', `--out=${out}`).ended;
const work = (...args) =>
  start('work', `-m=${MODEL}`, `--out=${out}`, '--lock=10', '--threads=1', '--log=json', ...args);
const seconds = (from) => (performance.now() - from) / 1000;
for (let round = 0; round < Number(rounds); round++) {
  const added = performance.now();
  const stopped = work();
  await stopped.sees('shard-done');
  results.first.push(seconds(added));
  const asked = performance.now();
  process.kill(stopped.child.pid, 'SIGTERM');
  await stopped.ended;
  results.stop.push(seconds(asked));

  const killed = work();
  await killed.sees('shard-taken');
  const other = work();
  await other.sees('shard-done');
  process.kill(-Number(killed.child.pid), 'SIGKILL');
  const killedMs = performance.now();
  await other.sees('shard-stalled');
  results.lost.push(seconds(killedMs));
  // What it has goes back, so that the next round sees its own losses alone.
  process.kill(other.child.pid, 'SIGTERM');
  await other.ended;
}
for (const [name, values] of Object.entries(results)) {
  console.log(name, values.map((value) => value.toFixed(2)).join(' '));
}
await rm(scratch, { recursive: true });
