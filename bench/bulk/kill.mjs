/**
 * Runs that are killed at random moments: `node bench/bulk/kill.mjs [moments] [seed]` (Linux). Half of the moments kill the
 * parent, half one of its models, all with SIGKILL. The run is then started again, until it ends by itself; its files have to
 * be those of a run that nobody disturbed, byte for byte, with every picture once.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const [moments = '50', seed = '1'] = process.argv.slice(2);
const PICTURES = 600;
let state = Number(seed);
/** mulberry32 */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const scratch = await mkdtemp(join(tmpdir(), 'blip2-bulk-kill-'));
const names = (await readdir(join(ROOT, 'models/demo/pictures'))).sort((a, b) => (a < b ? -1 : 1));
const list = join(scratch, 'list.jsonl');
const rows = Array.from({ length: PICTURES }, (_, index) => ({ path: `${index}-${names[index % names.length]}` }));
for (const [index, { path }] of rows.entries()) {
  if (index !== 100)
    await copyFile(join(ROOT, 'models/demo/pictures', names[index % names.length]), join(scratch, path));
}
await writeFile(list, rows.map((row) => JSON.stringify(row)).join('\n'));

function start(out, format) {
  const child = spawn(
    process.execPath,
    [
      join(ROOT, 'dist/cli/blip2-run.js'),
      list,
      `--model=${join(ROOT, 'models/demo')}`,
      `--out=${out}`,
      `--format=${format}`,
      '--shard-size=50',
      '--workers=2',
      '--threads=1',
      '-q',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return { child, ended: new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal))) };
}

async function modelsOf(pid) {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

async function hashes(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const lines = await Promise.all(
    files
      .sort((a, b) => (a < b ? -1 : 1))
      .map(async (file) => {
        const hash = createHash('sha256').update(await readFile(file));
        return `${hash.digest('hex')}  ${file.slice(folder.length + 1)}`;
      }),
  );
  return lines.join('\n');
}

const calm = {};
const tally = { parent: 0, model: 0, rounds: 0, starts: 0 };
try {
  let round = 0;
  while (tally.parent + tally.model < Number(moments)) {
    const format = ['jsonl', 'parquet', 'txt', 'webdataset'][round++ % 4];
    if (calm[format] === undefined) {
      const out = join(scratch, `calm-${format}`);
      const began = performance.now();
      if ((await start(out, format).ended) !== 4) throw new Error('the undisturbed run did not end with 4');
      calm[format] = { hashes: await hashes(out), ms: performance.now() - began };
    }
    const out = join(scratch, `killed-${round}`);
    const kills = Math.ceil(random() * 4);
    for (let kill = 0; ; kill++) {
      const { child, ended } = start(out, format);
      tally.starts += 1;
      if (kill < kills && tally.parent + tally.model < Number(moments)) {
        await Promise.race([setTimeout(random() * calm[format].ms), ended]);
        const models = await modelsOf(child.pid);
        if (tally.model < tally.parent && models.length > 0) {
          process.kill(models[Math.floor(random() * models.length)], 'SIGKILL');
          tally.model += 1;
        } else if (child.exitCode === null && child.kill('SIGKILL')) tally.parent += 1;
      }
      const code = await ended;
      if (code === 4) break;
      if (code !== 'SIGKILL') throw new Error(`a run ended with ${code}`);
    }
    if ((await hashes(out)) !== calm[format].hashes) throw new Error(`round ${round} (${format}) wrote other files`);
    await rm(out, { recursive: true });
    tally.rounds += 1;
  }
  console.log(
    `${tally.parent} kills of the parent and ${tally.model} of a model in ${tally.rounds} runs of ${PICTURES} pictures`,
  );
  console.log(`${tally.starts} starts; after each run all files equal those of an undisturbed one, byte for byte`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
