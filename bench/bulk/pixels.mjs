/**
 * Files to pixel values, one at a time: milliseconds a picture, and a hash of all pixel values. `pixels_peer.py` is the same by
 * Pillow and NumPy. On one core:
 *
 *   npm run build && taskset -c 1 node bench/bulk/pixels.mjs FOLDER [ROUNDS] [sharp]
 *
 * With `sharp` it decodes, as where no thread is there to do it; without, as threads that make pixels do.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodePicture } from '../../dist/src/runtime/image/decode-picture.js';
import { decodeHere } from '../../dist/src/runtime/image/libvips-here.js';
import { modelPixels } from '../../dist/src/runtime/image/prepare-pixels.js';
import { parsePreprocessorConfig } from '../../dist/src/runtime/image/preprocessor-config.js';

const [folder, rounds = '3', by] = process.argv.slice(2);
if (folder === undefined) throw new Error('which folder?');
// As in the process that holds a model.
sharp.cache(false);
if (by !== 'sharp') await decodeHere();

const config = parsePreprocessorConfig({ size: 224 });
const files = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).sort();
console.log(`Node ${process.version}, sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`);
for (let round = 0; round < Number(rounds); round++) {
  const times = { decode: [], 'resize and normalise': [], all: [] };
  const digest = createHash('sha256');
  let cpuMs = 0;
  for (const name of files) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    const picture = await decodePicture(join(folder, name));
    const decoded = performance.now();
    const data = await modelPixels(picture, { preprocessor: config, size: { width: 224, height: 224 }, float: 'F32' });
    const ended = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    cpuMs += (user + system) / 1000 / files.length;
    times.decode.push(decoded - began);
    times['resize and normalise'].push(ended - decoded);
    times.all.push(ended - began);
    digest.update(new Uint8Array(data.buffer));
  }
  const medians = Object.entries(times).map(([name, taken]) => `${name} ${median(taken).toFixed(2)}`);
  const hash = digest.digest('hex').slice(0, 16);
  console.log(
    `${files.length} pictures, ms a picture: ${medians.join(', ')}; CPU ${cpuMs.toFixed(2)}; pixel values ${hash}`,
  );
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
