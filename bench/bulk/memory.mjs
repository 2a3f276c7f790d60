/**
 * Resident memory of all processes of one long run: `node bench/bulk/memory.mjs [pictures] [formats..]` (Linux). The demo's
 * pictures are captioned again and again, from files and from a Parquet file; the sum over the parent and its models is taken
 * every tenth of a second, and its medians over the second and the last tenth of the pictures are compared.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHARD = 500;
const [pictures = '20000', ...formats] = process.argv.slice(2);
const count = Number(pictures);
const scratch = await mkdtemp(join(tmpdir(), 'blip2-bulk-memory-'));
const names = (await readdir(join(ROOT, 'models/demo/pictures'))).sort((a, b) => (a < b ? -1 : 1));
const list = join(scratch, 'list.jsonl');
const rows = Array.from({ length: count }, (_, index) => JSON.stringify({ path: names[index % names.length] }));
await writeFile(list, rows.join('\n'));

const command = (input, out, format) => [
  join(ROOT, 'dist/cli/blip2-run.js'),
  ...input,
  `--model=${join(ROOT, 'models/demo')}`,
  `--image-root=${join(ROOT, 'models/demo/pictures')}`,
  `--out=${out}`,
  `--format=${format}`,
  `--shard-size=${SHARD}`,
  '--workers=2',
  '--threads=1',
  '-q',
];

async function finishedShards(out) {
  const folders = await Promise.all([out, join(out, '.blip2-run')].map((path) => readdir(path).catch(() => [])));
  return folders.flat().filter((name) => /^\d{5}\.jsonl$/.test(name)).length;
}

/** Of a process and its children, in MiB. */
async function residentMib(pid) {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const pids = [pid, ...children.split(' ').filter(Boolean)];
  const sizes = await Promise.all(
    pids.map(async (each) => {
      const status = await readFile(`/proc/${each}/status`, 'utf8').catch(() => '');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
    }),
  );
  return { mib: sizes.reduce((sum, size) => sum + size, 0), parentMib: sizes[0], processes: pids.length };
}

async function measure(input, out, format) {
  const child = spawn(process.execPath, command(input, out, format), { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const samples = [];
  const began = performance.now();
  while (child.exitCode === null) {
    samples.push({ ...(await residentMib(child.pid)), shards: await finishedShards(out) });
    await Promise.race([setTimeout(100), ended]);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`exit code ${code}`);
  const seconds = (performance.now() - began) / 1000;
  const shards = count / SHARD;
  const tenths = Array.from({ length: 9 }, (_, tenth) => {
    const [from, to] = [(shards * (tenth + 1)) / 10, (shards * (tenth + 2)) / 10];
    return samples.filter((each) => each.processes === 3 && each.shards >= from && each.shards < to);
  });
  const medians = tenths.map((window) => median(window.map(({ mib }) => mib)));
  const [early, late] = [medians[0], medians.at(-1)];
  const change = `${((100 * (late - early)) / early).toFixed(1)} %`;
  console.log(
    `${format}: ${count} pictures, ${(count / seconds).toFixed(0)} a second; ` +
      `${early.toFixed(0)} MiB in the second tenth, ${late.toFixed(0)} MiB in the last (${change})`,
  );
  const parent = tenths.map((window) => median(window.map(({ parentMib }) => parentMib)).toFixed(0));
  console.log(
    `  tenth by tenth ${medians.map((mib) => mib.toFixed(0)).join(' ')}, of it the parent ${parent.join(' ')}`,
  );
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  for (const format of formats.length > 0 ? formats : ['jsonl', 'parquet']) {
    await measure([list], join(scratch, format), format);
  }
  const made = await readdir(join(scratch, 'parquet')).catch(() => []);
  const files = made.filter((name) => name.endsWith('.parquet')).map((name) => join(scratch, 'parquet', name));
  if (files.length > 0) await measure(files, join(scratch, 'webdataset'), 'webdataset');
} finally {
  await rm(scratch, { recursive: true, force: true });
}
