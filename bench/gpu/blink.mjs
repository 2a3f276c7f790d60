/**
 * What is measured of a card in a blink, beside the full calibration and the table, and what plans with each of them come to.
 *
 *   npm run build && node bench/gpu/blink.mjs CHECKPOINT [--vram 70G --vram 6G --vram 4G:int8 --vram 2G] [--batches 1,32]
 *     [--rates blink,calibrated,table] [--rounds 5] [--times 3] [--out results.json]
 *
 * CHECKPOINT is a folder such as `bench/make-checkpoint.mjs /dev/shm/opt-2.7b --dtype F16` writes. Needs what `caption.mjs`
 * needs, which runs every plan in a process of its own; takes about two minutes with the defaults, of which the calibration
 * takes 8 to 20 s and writes 839 MB into the temporary folder.
 *
 * Prints, each as one line of JSON as soon as it is there:
 *   {"card"}                  name, bus id, link, driver and runtime, which decide whether a measurement is made again
 *   {"blink"}                 --times measurements, each in a new process: its wall time, the time until the provider had
 *                             started, and the measurement itself (measuringMs; under 500 is wanted), with its rates
 *   {"calibrated"}, {"table"} the rates of the others, in the same units, and the seconds that the calibration took
 *   {"plan"}                  per budget, batch and source of rates: predicted and measured milliseconds, their ratio, what they
 *                             consist of (with several pictures a token includes the prompt's share), blocks that the host runs, the card's peak as counted and as its driver saw it beyond what it takes idle, in MiB,
 *                             and the time from process start to the first caption
 * --vram 70G stands for no limit, 4G:int8 allows quantising. --out keeps all of it in one file.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { calibrateMachine } from '../../dist/src/runtime/calibrate/calibrate-machine.js';
import { cardIdentities } from '../../dist/src/runtime/calibrate/machine-identity.js';
import { measureInABlink } from '../../dist/src/runtime/calibrate/measure-in-a-blink.js';
import { estimatedMachine } from '../../dist/src/runtime/calibrate/this-machine.js';
import { withMemory } from './with-memory.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    vram: { type: 'string', multiple: true, default: ['70G', '6G', '4G', '2G'] },
    batches: { type: 'string', default: '1' },
    rates: { type: 'string', default: 'blink,calibrated,table' },
    rounds: { type: 'string', default: '5' },
    times: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const [checkpoint] = positionals;
if (checkpoint === undefined) throw new Error('which checkpoint?');
const lines = [];
const say = (line) => {
  lines.push(line);
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const [card] = cardIdentities();
if (card === undefined) throw new Error('CUDA finds no card');
say({ card });

const folder = await mkdtemp(join(tmpdir(), 'blip2-blink-'));
try {
  const profiles = await measuredProfiles();
  for (const vram of values.vram)
    for (const batch of values.batches.split(','))
      for (const [rates, file] of profiles) say({ plan: await planned(vram, batch, rates, file) });
} finally {
  await rm(folder, { recursive: true });
  if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(lines, null, 1)}\n`);
}

/** Source of rates -> the file that holds them. */
async function measuredProfiles() {
  const wanted = values.rates.split(',');
  const files = new Map();
  const keep = async (rates, { gpus, host }) => {
    if (!wanted.includes(rates)) return;
    const file = join(folder, `${rates}.json`);
    await writeFile(file, JSON.stringify({ gpus, host }));
    files.set(rates, file);
  };
  let last;
  for (let time = 0; time < Number(values.times); time++) {
    const start = performance.now();
    const cards = [{ gpu: 0, name: card.name }];
    last = await measureInABlink({ source: 'measured in a blink', cards, host: { spins: false } });
    const wallMs = Math.round(performance.now() - start);
    const { startingMs, measuringMs } = last;
    say({ blink: { wallMs, startingMs, measuringMs, ...figures({ gpus: last.cards, host: last.host }) } });
  }
  await keep('blink', { gpus: last.cards, host: last.host });
  if (wanted.includes('calibrated')) {
    const start = performance.now();
    const machine = await calibrateMachine({ cacheFolder: folder });
    const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
    say({ calibrated: { seconds, ...figures(machine) } });
    await keep('calibrated', machine);
  }
  const table = estimatedMachine({ gpus: [0], provider: 'cuda' });
  say({ table: figures(table) });
  await keep('table', table);
  return files;
}

function figures({ gpus: [gpu], host }) {
  const { 'blip2-run': run, transformers } = gpu.engines;
  return {
    withinGBs: gpu.memoryBytesPerSecond / 1e9,
    half: `${gpu.flopsPerSecond.float16 / 1e12} TFLOP/s`,
    float32: `${gpu.flopsPerSecond.float32 / 1e12} TFLOP/s`,
    quantizedBandwidth: gpu.quantizedBandwidth,
    linkGBs: gpu.link.bytesPerSecond / 1e9,
    linkMs: gpu.link.latencyMs,
    lockedUpGBs: run.streamBytesPerSecond / 1e9,
    pageableUpGBs: transformers.streamBytesPerSecond / 1e9,
    leafMs: run.leafMs,
    host: {
      name: host.name,
      sweepGBs: host.memoryBytesPerSecond / 1e9,
      product: `${host.flopsPerSecond / 1e9} GFLOP/s`,
      leafMs: host.leafMs,
    },
  };
}

async function planned(row, batch, rates, file) {
  const caption = fileURLToPath(new URL('caption.mjs', import.meta.url));
  const [vram, scheme] = row.split(':');
  const quant = scheme === undefined ? [] : ['--allow-quant', scheme];
  const args = [caption, checkpoint, '--vram', vram, '--batch', batch, '--profile', file, '--rounds', values.rounds];
  const run = () => promisify(execFile)(process.execPath, [...args, ...quant], { maxBuffer: 2 ** 26 });
  try {
    const { outcome, atStartBytes, peakBytes } = await withMemory(run);
    const { captionMs, imageMs, prefillMs, tokenMs, processToFirstCaptionMs, predicted } = JSON.parse(outcome.stdout);
    const { hostBlocks, quantisedBlocks, latencyMs: predictedMs, parts } = predicted;
    const [{ budgetBytes, freeBytes }] = predicted.gpus;
    return {
      vram: row,
      batch,
      rates,
      predictedMs,
      measuredMs: captionMs,
      ratio: Number((predictedMs / captionMs).toPrecision(3)),
      predictedParts: parts,
      measuredParts: { imageMs, prefillMs, tokenMs },
      hostBlocks,
      quantisedBlocks,
      budgetMiB: mebibytes(budgetBytes),
      countedMiB: mebibytes(budgetBytes - freeBytes),
      peakMiB: mebibytes(peakBytes - atStartBytes),
      processToFirstCaptionMs,
    };
  } catch (error) {
    return { vram: row, batch, rates, failed: String(error.stderr ?? error).slice(-400) };
  }
}

function mebibytes(bytes) {
  return Math.round(bytes / 2 ** 20);
}
