/**
 * Requests a second and how long they take, by how many are sent at once, with pictures answered together and one after the
 * other. autocannon sends them (`npx` fetches it). One JSON line a measurement; `cpuMs` is CPU time of server and model a request.
 *
 *   npm run build && node bench/serve/load.mjs CHECKPOINT [--at-once 1,2,4,8,16,32,64] [--seconds 10] [--batches auto,1]
 *     [--tokens 20] [--stream] [-- FLAGS OF blip2-run serve]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { requestBody, startServer } from './served.mjs';

const AUTOCANNON = 'autocannon@9.0.0';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    'at-once': { type: 'string', default: '1,2,4,8,16,32,64' },
    seconds: { type: 'string', default: '10' },
    batches: { type: 'string', default: 'auto,1' },
    tokens: { type: 'string', default: '20' },
    stream: { type: 'boolean', default: false },
  },
});
const [checkpoint, ...flags] = positionals;
if (checkpoint === undefined) throw new Error('which checkpoint?');

const folder = await mkdtemp(join(tmpdir(), 'serve-load-'));
const body = join(folder, 'request.json');
await writeFile(body, await requestBody({ max_tokens: Number(values.tokens), stream: values.stream }));

/** The numbers of one run. */
async function load(url, connections, seconds) {
  const sent = [
    '-c',
    connections,
    '-d',
    seconds,
    '-t',
    '120',
    '-m',
    'POST',
    '-H',
    'content-type=application/json',
    '-i',
    body,
  ];
  const args = ['--yes', AUTOCANNON, '--json', ...sent, `${url}/chat/completions`];
  const child = spawn('npx', args.map(String), { stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(await text(child.stdout));
}

/** CPU time of a process and its children, in seconds of 100 ticks; Linux alone tells. */
async function cpuSeconds(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return 0;
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    .split(' ')
    .filter((word) => word !== '');
  const theirs = await Promise.all(children.map(cpuSeconds));
  return (user + system) / 100 + theirs.reduce((sum, each) => sum + each, 0);
}

const servers = [];
for (const batch of values.batches.split(',')) {
  const server = await startServer(checkpoint, ['--max-queue', '4096', '--batch', batch, ...flags]);
  await load(server.url, 8, 2);
  servers.push({ batch, ...server });
}
for (const atOnce of values['at-once'].split(',').map(Number)) {
  // In turns: what else the machine does meets both.
  for (const { batch, url, child } of servers) {
    const before = await cpuSeconds(child.pid);
    const { requests, latency, errors, timeouts, non2xx } = await load(url, atOnce, Number(values.seconds));
    const { p50, p99 } = latency;
    const cpuMs = Math.round((1e4 * ((await cpuSeconds(child.pid)) - before)) / requests.total) / 10;
    const figures = { perSecond: requests.average, answered: requests.total, p50Ms: p50, p99Ms: p99, cpuMs };
    console.log(JSON.stringify({ atOnce, batch, stream: values.stream, ...figures, errors, timeouts, non2xx }));
  }
}
for (const { child, exit } of servers) {
  child.kill();
  await exit;
}
await rm(folder, { recursive: true });
