/**
 * Runs that are killed at random moments: `node bench/bulk/kill.mjs [moments] [seed]` (Linux). Half of the moments kill the
 * parent, half one of its models, all with SIGKILL. The run is then started again, until it ends by itself; its files have to
 * be those of a run that nobody disturbed, byte for byte, with every picture once.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { seededRandom } from '../seeded-random.mjs';
import { COMMAND, FORMATS, hashesIn, MODEL, writePictureList } from './disturbed-runs.mjs';

const [moments = '50', seed = '1'] = process.argv.slice(2);
const PICTURES = 600;
const random = seededRandom(seed);
const scratch = await mkdtemp(join(tmpdir(), 'blip2-bulk-kill-'));
const { list } = await writePictureList(scratch, { pictures: PICTURES, missing: 100 });

function start(out, format) {
  const child = spawn(
    process.execPath,
    [
      COMMAND,
      list,
      `--model=${MODEL}`,
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

const calm = {};
const tally = { parent: 0, model: 0, rounds: 0, starts: 0 };
try {
  let round = 0;
  while (tally.parent + tally.model < Number(moments)) {
    const format = FORMATS[round++ % FORMATS.length];
    if (calm[format] === undefined) {
      const out = join(scratch, `calm-${format}`);
      const began = performance.now();
      if ((await start(out, format).ended) !== 4) throw new Error('the undisturbed run did not end with 4');
      calm[format] = { hashes: await hashesIn(out), ms: performance.now() - began };
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
    if ((await hashesIn(out)) !== calm[format].hashes) throw new Error(`round ${round} (${format}) wrote other files`);
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
