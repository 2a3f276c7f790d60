/**
 * One cache for several processes: npm run build && node bench/loader/shared-cache.mjs [pairs] [kills]
 *
 * Pairs: two runs with equal process ids, each in a PID namespace of its own as two containers are, begin up to a second
 * apart on an empty cache; in every second pair one of them is killed at a random moment. Kills: a run on an empty cache is
 * killed at a random moment, and begun again. Every run that lives must give the caption that the same weights give in
 * float32, where nothing is converted; whatever the cache holds afterwards must be sound to the last byte. Exit code 1 at
 * the first that is not so. Needs Linux, `unshare` and the right to use it; about 1 GB in the system's temporary folder.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [pairs = 10, kills = 50] = process.argv.slice(2).map(Number);
const root = fileURLToPath(new URL('../..', import.meta.url));
const commandPath = (name) => join(root, `dist/cli/${name}.js`);
const scratch = mkdtempSync(join(tmpdir(), 'shared-cache-'));
const [model, floats, cache] = ['float16', 'float32', 'cache'].map((name) => join(scratch, name));
const env = { ...process.env, XDG_CACHE_HOME: cache, BLIP2_PROFILE: 'none' };

const config = JSON.parse(readFileSync(join(root, 'models/demo/config.json'), 'utf8'));
Object.assign(config.text_config, {
  hidden_size: 1024,
  word_embed_proj_dim: 1024,
  ffn_dim: 4096,
  num_attention_heads: 16,
});
writeFileSync(join(scratch, 'config.json'), JSON.stringify(config));
must(
  'make',
  join(root, 'bench/make-checkpoint.mjs'),
  model,
  '--config',
  join(scratch, 'config.json'),
  '--dtype',
  'F16',
);
must('convert', commandPath('blip2-shard'), 'convert', model, floats, '-q', '--dtype', 'float32');

const ARGS = [commandPath('blip2-run'), join(root, 'models/demo/pictures/shape-07.png'), '-q', '--threads', '1', '-m'];
const right = must('caption', ...ARGS, floats);
if (readdirSync(scratch).includes('cache')) throw new Error('float32 was converted');
console.log(`the caption: ${right.trim()}`);

function must(what, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${what}: ${stderr}`);
  return stdout;
}

/** Begins a run, in a PID namespace of its own or not. */
function begin(alone) {
  const [file, ...args] = [...(alone ? ['unshare', '-p', '-f', '--mount-proc'] : []), process.execPath, ...ARGS, model];
  const child = spawn(file, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (bytes) => (text += bytes));
  child.stderr.on('data', (bytes) => (text += bytes));
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, text })));
  const kill = () => {
    try {
      process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  return { ended, kill };
}

function emptyCache() {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache);
}

/** Names of what is being written. */
function partial() {
  const folder = join(cache, 'blip2-device-map');
  return readdirSync(cache).length === 0 ? [] : readdirSync(folder).filter((name) => name.endsWith('.blip2-partial'));
}

function check(what, { code, text }) {
  if (code === 0 && text === right) return;
  console.log(`${what}: exit code ${code}, ${text.slice(0, 400)}\nleft in ${scratch}`);
  process.exit(1);
}

/** The cache is sound, and an ordinary run with it is right. */
async function checkAfter(what) {
  check(what, await begin(false).ended);
  must(`${what}, verify`, commandPath('blip2-shard'), 'cache', 'verify', '-q');
  if (partial().length > 0 && what.startsWith('kill')) throw new Error(`${what}: ${partial().join(' ')} is left`);
}

const startMs = performance.now();
emptyCache();
check('first run', await begin(false).ended);
const runMs = performance.now() - startMs;

const counts = { pairs: 0, runsOfPairs: 0, killedOfPairs: 0 };
for (let pair = 0; pair < 2 * pairs; pair++) {
  emptyCache();
  const first = begin(true);
  await setTimeout(1000 * Math.random());
  const second = begin(true);
  if (pair % 2 === 1) {
    await setTimeout(runMs * Math.random());
    first.kill();
    counts.killedOfPairs++;
  }
  const [a, b] = await Promise.all([first.ended, second.ended]);
  if (pair % 2 === 0) check(`pair ${pair}, first`, a);
  check(`pair ${pair}, second`, b);
  counts.pairs++;
  counts.runsOfPairs += pair % 2 === 0 ? 2 : 1;
  await checkAfter(`pair ${pair}, afterwards`);
}
console.log(JSON.stringify(counts));

const hit = { beforeTheFile: 0, whileItIsWritten: 0, whenItIsWhole: 0 };
for (let kill = 0; kill < kills; kill++) {
  emptyCache();
  const run = begin(false);
  // Node and the runtime start first.
  await setTimeout(runMs * (0.2 + 0.8 * Math.random()));
  run.kill();
  await run.ended;
  const files = readdirSync(cache).length === 0 ? [] : readdirSync(join(cache, 'blip2-device-map'));
  const whole = files.some((name) => name.endsWith('.safetensors'));
  hit[whole ? 'whenItIsWhole' : files.length > 0 ? 'whileItIsWritten' : 'beforeTheFile']++;
  await checkAfter(`kill ${kill}`);
}
console.log(JSON.stringify({ kills, ...hit }));
rmSync(scratch, { recursive: true });
