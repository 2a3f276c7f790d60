/**
 * Runs of many workers that are disturbed at random moments: `node bench/queue/chaos.mjs [runs] [seed] [server] [export client..]`
 * (Linux, as root where the disk is to be full: it mounts one of 24 MB). Each run captions 200 pictures with two to four workers of one
 * queue, and has one of: SIGKILL of a worker with its model, a worker that is frozen for longer than a lock lasts, SIGKILL of
 * the server (append-only file) and a new one 1 s later, a disk that is full for 3 s. Workers that end with an error are
 * started again, as a supervisor does. In the end all files have to be those of `blip2-run --out` alone, undisturbed.
 *
 * Where a network's file system is to be tried, `export` is the server's folder and each `client` a mount of it (root): worker n
 * sees the nth client at one path, in a mount namespace of its own, and the files are compared in the server's folder.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { COMMAND, FORMATS, hashesIn, MODEL, writePictureList } from '../bulk/disturbed-runs.mjs';
import { seededRandom } from '../seeded-random.mjs';

const exec = promisify(execFile);
const [runs = '40', seed = '1', server = 'redis-server', exported, ...clients] = process.argv.slice(2);
const PICTURES = 200;
const PORT = 7100 + (process.pid % 800);
const URL_ = `redis://127.0.0.1:${PORT}`;
const LOCK_SECONDS = 2;
const FREEZE_MS = 5000;
const DISK_FULL_MS = 3000;
/** For how long a client of a network's file system may know nothing of what another has written. */
const STALE_SECONDS = 30;
/** A moment in the work of a run is looked for in so long after its beginning. */
const WORK_MS = 800;
const random = seededRandom(seed);
const among = (values) => values[Math.floor(random() * values.length)];

const scratch = await mkdtemp(join(tmpdir(), 'blip2-chaos-'));
const { list, paths } = await writePictureList(scratch, { pictures: PICTURES, missing: 77 });
await mkdir(join(scratch, 'server'));
const disk = join(scratch, 'disk');
await mkdir(disk);
const shared = join(scratch, 'shared');
await mkdir(shared);
if (exported !== undefined) await exec('mount', ['--bind', clients[0], shared]);
const outputs = exported === undefined ? scratch : shared;
const hasDisk = await exec('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]).then(
  () => true,
  () => false,
);

async function startServer() {
  const options = ['--port', String(PORT), '--dir', join(scratch, 'server'), '--appendonly', 'yes', '--save', ''];
  const child = spawn(server, options, { stdio: 'ignore' });
  for (;;) {
    const answer = await exec('bash', [
      '-c',
      `exec 3<>/dev/tcp/127.0.0.1/${PORT}; printf 'PING\\r\\n' >&3; head -c 5 <&3`,
    ]).catch(() => null);
    if (answer?.stdout === '+PONG') return child;
    if (child.exitCode !== null) throw new Error(`${server} has ended`);
    await setTimeout(20);
  }
}

const flags = (out, format) => [`--out=${out}`, `--format=${format}`, '--shard-size=10', '-q'];
async function command(args) {
  const { stdout } = await exec(process.execPath, [COMMAND, ...args], { cwd: scratch }).catch((error) => {
    if (error.code === 4) return error;
    throw error;
  });
  return stdout;
}

async function checkOnce(out, format) {
  const folder = format === 'jsonl' ? out : join(out, '.blip2-run');
  const shards = (await readdir(folder)).filter((name) => /^\d+\.jsonl$/.test(name)).sort((a, b) => (a < b ? -1 : 1));
  const found = [];
  for (const shard of shards) {
    const text = await readFile(join(folder, shard), 'utf8');
    found.push(
      ...text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).file_name),
    );
  }
  if (found.join() !== paths.join()) throw new Error('not every picture is there exactly once');
}

/** What is known of a run that nobody works on; a client of a network's file system may say what was some time ago. */
async function settledStatus(out) {
  for (let seconds = 0; ; seconds++) {
    const status = JSON.parse(await command(['queue', 'status', `--out=${out}`, `--queue=${URL_}`, '--json']));
    const isOver = status.done === status.shards || status.waiting + status.active + status.failed.length > 0;
    if (isOver || exported === undefined || seconds === STALE_SECONDS) return status;
    await setTimeout(1000);
  }
}

/** A worker and all of its processes, which share a group of their own. */
function startWorker(out, number) {
  const args = [COMMAND, 'queue', 'work', `-m=${MODEL}`, `--out=${out}`, `--queue=${URL_}`, `--lock=${LOCK_SECONDS}`];
  const own = [process.execPath, ...args, '--threads=1', `--name=w${number}`, '--log=json'];
  const client = clients[number % clients.length];
  const bound = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$1"; shift; exec "$@"', client, shared, ...own];
  const [program, ...rest] = client === undefined ? own : bound;
  const child = spawn(program, rest, {
    cwd: scratch,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const worker = { child, events: [], stderr: '', gone: false };
  child.stderr.setEncoding('utf8').on('data', (text) => {
    worker.stderr += text;
    worker.events.push(...(text.match(/"event":"[^"]+"/g) ?? []));
  });
  worker.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  return worker;
}
const count = ({ events }, name) => events.filter((event) => event === `"event":"${name}"`).length;
const inHand = (worker) =>
  ['shard-done', 'shard-failed', 'shard-lost', 'shard-returned'].reduce(
    (left, name) => left - count(worker, name),
    count(worker, 'shard-taken'),
  );
const signal = ({ child }, name) => {
  try {
    process.kill(-child.pid, name);
    return true;
  } catch {
    return false;
  }
};

const tally = {
  kill: 0,
  freeze: 0,
  restart: 0,
  'disk full': 0,
  'with shards in hand': 0,
  restarts: 0,
  lost: 0,
  stalled: 0,
  failed: 0,
};
const calm = {};
let calmMs = 0;
let redis = await startServer();
try {
  for (let run = 0; run < Number(runs); run++) {
    const format = FORMATS[run % FORMATS.length];
    if (calm[format] === undefined) {
      const out = join(scratch, `calm-${format}`);
      const began = performance.now();
      await command([list, `-m=${MODEL}`, ...flags(out, format)]);
      calmMs = Math.max(calmMs, performance.now() - began);
      await checkOnce(out, format);
      calm[format] = await hashesIn(out, 'queue.json');
    }
    const kinds = ['kill', 'freeze', 'restart', ...(hasDisk ? ['disk full'] : [])];
    const kind = kinds[(Math.floor(run / 4) + Number(seed)) % kinds.length];
    const out = join(kind === 'disk full' ? disk : outputs, `out-${run}`);
    await command(['queue', 'add', list, `-m=${MODEL}`, ...flags(out, format), `--queue=${URL_}`]);
    let workers = Array.from({ length: 2 + Math.floor(random() * 3) }, (_, number) => startWorker(out, number));
    // One in four at any moment, the start included; the others where shards are in hand.
    const isAnywhere = random() < 0.25;
    if (isAnywhere) await setTimeout(random() * calmMs);
    else {
      while (!workers.some((worker) => inHand(worker) > 0)) await setTimeout(5);
      await setTimeout(random() * WORK_MS);
    }
    const busy = workers.filter((worker) => inHand(worker) > 0);
    const victim = among(busy.length > 0 ? busy : workers);
    const isThere = victim.child.exitCode === null;
    if (isThere && inHand(victim) > 0) tally['with shards in hand'] += 1;
    if (kind === 'kill') {
      victim.gone = signal(victim, 'SIGKILL');
    } else if (kind === 'freeze') {
      signal(victim, 'SIGSTOP');
      void setTimeout(FREEZE_MS).then(() => signal(victim, 'SIGCONT'));
    } else if (kind === 'restart') {
      redis.kill('SIGKILL');
      await setTimeout(1000);
      redis = await startServer();
    } else {
      const { bavail, bsize } = await statfs(disk);
      await writeFile(join(disk, 'filler'), Buffer.alloc(bavail * bsize)).catch(() => undefined);
      await setTimeout(DISK_FULL_MS);
      await rm(join(disk, 'filler'));
    }
    if (isThere) tally[kind] += 1;
    let tries = 0;
    while (workers.length > 0) {
      const codes = await Promise.all(workers.map(({ ended }) => ended));
      for (const worker of workers) {
        tally.lost += count(worker, 'shard-lost');
        tally.stalled += count(worker, 'shard-stalled');
        tally.failed += count(worker, 'shard-failed');
      }
      const failed = workers.filter((worker, index) => !worker.gone && codes[index] !== 0 && codes[index] !== 4);
      const status = await settledStatus(out);
      if (status.done === status.shards) break;
      if (failed.length === 0 && kind !== 'kill')
        throw new Error(`run ${run} (${kind}) left ${JSON.stringify(status)}`);
      if (status.failed.length > 0) await command(['queue', 'retry', `--out=${out}`, `--queue=${URL_}`]);
      tally.restarts += 1;
      if (++tries > 20) throw new Error(`run ${run} (${kind}) comes to no end: ${JSON.stringify(status)}`);
      workers = [startWorker(out, 9)];
    }
    const written = outputs === shared && kind !== 'disk full' ? join(exported, `out-${run}`) : out;
    await checkOnce(written, format);
    const found = await hashesIn(written, 'queue.json');
    if (found !== calm[format]) {
      await writeFile('/tmp/chaos-expected', calm[format]);
      await writeFile('/tmp/chaos-found', found);
      throw new Error(
        `run ${run} (${kind}, ${format}) wrote other files: see /tmp/chaos-expected and /tmp/chaos-found`,
      );
    }
    await rm(written, { recursive: true });
    process.stderr.write(
      `${run + 1} ${kind} ${format}: ${workers.length} workers${isThere ? '' : ', which had ended'}\n`,
    );
  }
  console.log(`${runs} runs of ${PICTURES} pictures on ${server}: ${JSON.stringify(tally)}`);
  console.log('every picture once, and all files equal those of an undisturbed blip2-run --out, byte for byte');
} finally {
  redis.kill('SIGKILL');
  if (hasDisk) await exec('umount', [disk]).catch(() => undefined);
  if (exported !== undefined) await exec('umount', [shared]);
  await rm(scratch, { recursive: true, force: true }).catch(() => undefined);
}
