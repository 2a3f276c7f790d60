/**
 * Opening, verifying and reading, against the Python package in the same run:
 *
 *   npm run build && node bench/make-checkpoint.mjs FOLDER && PYTHON=python node bench/loader/read.mjs FOLDER
 *
 * Medians of repeated calls in one process; "first" is the first call of a fresh process. Reading sums one byte of
 * every page here, and makes Python touch the same pages through numpy; it is left out above 5 GB, which would not stay in
 * the page cache.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mapTensors, openCheckpoint, verifyCheckpoint } from '../../dist/src/loader/index.js';

const folder = process.argv[2];
const repeats = 21;
if (folder === undefined) throw new Error('which checkpoint?');

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const ms = (value) => `${value.toFixed(1)} ms`;

async function time(run) {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

async function medianOf(run) {
  for (let i = 0; i < 5; i++) await run();
  const times = [];
  for (let i = 0; i < repeats; i++) times.push(await time(run));
  return median(times);
}

async function touchAll() {
  const checkpoint = await openCheckpoint(folder);
  const mapped = await mapTensors(checkpoint, checkpoint.tensors.keys());
  let sum = 0;
  for (const name of mapped.names) {
    const { bytes } = mapped.get(name);
    for (let at = 0; at < bytes.length; at += 4096) sum += bytes[at];
  }
  mapped.close();
  return sum;
}

function pageKiB(key) {
  return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

const firstMs = await time(() => openCheckpoint(folder));
const { files, tensors } = await openCheckpoint(folder);
console.log(`${tensors.size} tensors in ${files.length} files, Node ${process.versions.node}`);
console.log(`open: first ${ms(firstMs)}, then median ${ms(await medianOf(() => openCheckpoint(folder)))}`);
console.log(`verify (headers): median ${ms(await medianOf(() => verifyCheckpoint(folder)))}`);
const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
const touching = totalBytes < 5e9;
if (touching) {
  const anonBefore = pageKiB('RssAnon');
  const touchMs = [];
  for (let i = 0; i < 4; i++) touchMs.push(await time(touchAll));
  const anonMiB = (pageKiB('RssAnon') - anonBefore) / 1024;
  console.log(
    `open, list, touch every page: ${ms(median(touchMs.slice(1)))}; anonymous memory +${anonMiB.toFixed(0)} MiB of ${(totalBytes / 2 ** 20).toFixed(0)}`,
  );
}

const python = process.env.PYTHON;
if (python !== undefined) {
  const peer = `
import sys, time, glob
import numpy as np
from safetensors import safe_open
paths = sorted(glob.glob(sys.argv[1] + "/*.safetensors"))
def opening():
    keys = []
    for path in paths:
        with safe_open(path, "np") as file:
            keys += list(file.keys())
    return keys
def touch():
    for path in paths:
        with safe_open(path, "np") as file:
            for key in file.keys():
                file.get_tensor(key).view(np.uint8).reshape(-1)[::4096].sum()
def median(run, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter(); run(); times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2] * 1000
opening()
print(f"Python safetensors: open and list median {median(opening, 21):.1f} ms")
if sys.argv[2] == "true":
    touch()
    print(f"Python safetensors: open, list, touch every page {median(touch, 3):.1f} ms")
`;
  process.stdout.write(execFileSync(python, ['-c', peer, folder, String(touching)]));
}
const fresh = [];
const script = `const { openCheckpoint } = await import(${JSON.stringify(new URL('../../dist/src/loader/index.js', import.meta.url).href)});
const start = performance.now(); await openCheckpoint(process.argv[1]); console.log(performance.now() - start);`;
for (let i = 0; i < 5; i++) {
  fresh.push(
    Number(spawnSync(process.execPath, ['--input-type=module', '-e', script, folder], { encoding: 'utf8' }).stdout),
  );
}
console.log(`open in a fresh process: median ${ms(median(fresh))}`);
