/**
 * Files to pixel values by threads, in order, as a captioner takes them, and thrown away: pictures a second, CPU time and
 * resident memory, no model. The folder is read again and again until COUNT pictures are done.
 *
 *   npm run build && node bench/bulk/pipeline.mjs FOLDER COUNT [THREADS]
 */
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { PixelPool } from '../../dist/src/runtime/image/pixel-pool.js';
import { parsePreprocessorConfig } from '../../dist/src/runtime/image/preprocessor-config.js';
import { PictureFeed } from '../../dist/src/runtime/engine/stream/picture-feed.js';

/** Pictures taken at a time, and made ready ahead. */
const TAKEN = 64;
const AHEAD = 128;

const [folder, total, threads = availableParallelism()] = process.argv.slice(2);
if (folder === undefined || total === undefined) throw new Error('which folder, and how many pictures?');
// As in the process that holds a model.
sharp.cache(false);

const names = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).sort();
async function* files() {
  for (let i = 0; i < Number(total); i++) yield join(folder, names[i % names.length]);
}
const rules = { preprocessor: parsePreprocessorConfig({ size: 224 }), size: { height: 224, width: 224 }, float: 'F32' };
const pool = new PixelPool(rules, Number(threads));
const feed = new PictureFeed(files(), { prepare: (file) => pool.pixels(file), ahead: AHEAD });
const began = performance.now();
const cpu = process.cpuUsage();
let done = 0;
let said = 0;
for (let taken = await take(); taken !== null; taken = await take()) {
  for (const picture of taken) if (picture.status === 'failed') throw picture.error;
  done += taken.length;
  if (done < said + Number(total) / 10 && done < Number(total)) continue;
  said = done;
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuMs = ((user + system) / 1000 / done).toFixed(2);
  console.log(
    `${done} pictures, ${(done / seconds).toFixed(0)} a second, CPU ${cpuMs} ms each; resident ${await residentMiB()} MiB`,
  );
}
await pool[Symbol.asyncDispose]();

function take() {
  return feed.take(TAKEN, TAKEN, true);
}

async function residentMiB() {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  return Math.round(Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) / 1024);
}
