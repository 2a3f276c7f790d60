/**
 * Kills the command at random moments and looks at what is left: node bench/loader/kill.mjs [kills]
 *
 * Half of the kills hit a split, half a conversion of the demo checkpoint. After each, the input is unchanged, every
 * shard that is there is whole, and the same command once more ends with the bytes of an undisturbed run. Exit code 1 at
 * the first that is not so. Build first.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const kills = Number(process.argv[2] ?? 200);
const demo = fileURLToPath(new URL('../../models/demo', import.meta.url));
const command = fileURLToPath(new URL('../../dist/cli/blip2-shard.js', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'kill-'));
const out = join(scratch, 'out');
const JOBS = { split: ['--max-shard-size', '300KB'], convert: ['--dtype', 'float16'] };

function contents(folder) {
  let entries = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return new Map();
  }
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  return new Map(
    names.toSorted().map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );
}

const same = (a, b) => a.size === b.size && [...a].every(([name, hash]) => b.get(name) === hash);

function fail(why) {
  console.log(`${why}; left in ${out}`);
  process.exit(1);
}

const input = contents(demo);
const undisturbed = {};
const durations = {};
for (const [job, flags] of Object.entries(JOBS)) {
  rmSync(out, { recursive: true, force: true });
  const startMs = performance.now();
  if (spawnSync(process.execPath, [command, job, demo, out, '-q', ...flags]).status !== 0) fail(`${job} failed`);
  durations[job] = performance.now() - startMs;
  undisturbed[job] = contents(out);
}

const counts = { beforeAnyShard: 0, someShards: 0, afterTheIndex: 0 };
for (let kill = 0; kill < kills; kill++) {
  const job = kill % 2 === 0 ? 'split' : 'convert';
  const args = [command, job, demo, out, '-q', ...JOBS[job]];
  rmSync(out, { recursive: true, force: true });
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const ended = new Promise((done) => child.once('close', done));
  // The first part of a run is Node starting: nothing to be seen there.
  await setTimeout(durations[job] * (0.35 + 0.75 * Math.random()));
  child.kill('SIGKILL');
  await ended;
  const left = contents(out);
  const shards = [...left].filter(([name]) => name.endsWith('.safetensors'));
  for (const [name, hash] of shards)
    if (undisturbed[job].get(name) !== hash) fail(`kill ${kill}: ${name} is not whole`);
  const finished = left.has('model.safetensors.index.json') || same(left, undisturbed[job]);
  counts[finished ? 'afterTheIndex' : shards.length > 0 ? 'someShards' : 'beforeAnyShard']++;
  if (!same(left, undisturbed[job])) {
    const rerun = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (rerun.status !== 0) fail(`kill ${kill}: the rerun failed: ${rerun.stderr}`);
  }
  if (!same(contents(out), undisturbed[job])) fail(`kill ${kill}: the rerun ended with other bytes`);
}
if (!same(contents(demo), input)) fail('the input has changed');
rmSync(scratch, { recursive: true });
console.log(`${kills} kills: inputs unchanged, outputs whole or absent, reruns end with the same bytes`);
console.log(`what was there: ${JSON.stringify(counts)}`);
