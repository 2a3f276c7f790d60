/**
 * Rows of captioning on one card, ours and transformers', each in a process of its own with the memory watched from
 * outside. Every row is written to the results as soon as it is there; a row that fails says why and the next one runs.
 * Rows run in the order in which they are named: name a row several times, others between, and all of them share the
 * machine's moods. At the end: of every row the median, and the least and most, of its processes' medians.
 *
 *   node bench/gpu/table.mjs CHECKPOINT RESULTS.json PYTHON ROW [ROW ...]
 *
 * ROW: ours:full  ours:full:int8  ours:6G  ours:4G:int8 (quantising allowed)  ours-map:FILE  webgpu:full  webgpu:full:int8
 *      run:2G (blip2-run itself, until its first caption)  auto:6GiB  map:FILE  transformers:full
 *      plan:FILE (transformers with the map of a plan that blip2-plan wrote whole, whose predictions are kept)
 *      profile=FILE (no row: later ones of ours are planned with what blip2-plan --calibrate printed)
 *      accuracy (logits kept by full rows, and all rows' ids so far).
 * Followed by +BxN for B pictures at once with N beams, and by @N for N rounds, as in auto:2GiB@2 or ours:full+8x5@2.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PeerProcess } from './peer-process.mjs';
import { withMemory } from './with-memory.mjs';

const [checkpoint, resultsFile, python, ...rows] = process.argv.slice(2);
if (rows.length === 0) throw new Error('which rows?');
const here = import.meta.dirname;
const repository = join(here, '../..');
/** Logits of the prompt, by the kind of the row that left them. */
const logitsOf = (kind) => `${resultsFile}.${kind}.logits`;
const idsFile = `${resultsFile}.ids`;
const LIMIT_MS = 150_000;
const MIB = 2 ** 20;
const SHOWN = [
  'captionMs',
  'imageMs',
  'prefillMs',
  'tokenMs',
  'loadMs',
  'processToFirstCaptionMs',
  'relativeError',
  'ratio',
  'others',
  'exitCode',
  'error',
];
const results = [];
let peer;

let profile;
for (const row of rows) {
  if (row.startsWith('profile=')) {
    profile = row.slice('profile='.length);
    continue;
  }
  const began = performance.now();
  const result = await measure(row).catch((error) => ({ error: String(error).slice(0, 900) }));
  results.push({ row, ...(profile === undefined ? {} : { calibrated: true }), ...result });
  writeFileSync(resultsFile, JSON.stringify(results, null, 1));
  const peak =
    result.peakBytes === undefined ? {} : { peak: `${Math.round((result.peakBytes - result.atStartBytes) / MIB)} MiB` };
  const figures = { ...Object.fromEntries(SHOWN.map((name) => [name, result[name]])), ...peak };
  process.stdout.write(`${row} ${JSON.stringify(figures)} in ${Math.round(performance.now() - began)} ms\n`);
}
peer?.end();
summary();

async function measure(row) {
  const perform = performer(row);
  if (perform === theirs) await startPeer();
  const { outcome, ...memory } = await withMemory(() => perform(row));
  return { ...outcome, ...memory };
}

function performer(row) {
  const { kind } = parseRow(row);
  if (['ours', 'ours-map', 'webgpu'].includes(kind)) return ours;
  if (kind === 'run') return blip2Run;
  if (['auto', 'map', 'plan', 'transformers', 'accuracy'].includes(kind)) return theirs;
  throw new Error(`no row ${row}`);
}

/** Kind, place, what is quantised, pictures and beams, rounds. */
function parseRow(row) {
  const [, what, batch, beams, rounds] = /^(.*?)(?:\+(\d+)x(\d+))?(?:@(\d+))?$/.exec(row);
  const [kind, place, quant] = what.split(':');
  return { kind, place, quant, batch, beams, rounds };
}

async function ours(row) {
  const { kind, place, quant, batch, beams, rounds } = parseRow(row);
  const args = [
    ...(kind === 'ours-map' ? ['--map', place] : placed(place, quant)),
    ...(kind === 'webgpu' ? ['--provider', 'webgpu'] : []),
    ...(profile === undefined ? [] : ['--profile', profile]),
    // What everything on the GPU in float16 says to the prompt is kept to be judged.
    ...(place === 'full' && quant === undefined && batch === undefined ? ['--logits', logitsOf(kind)] : []),
    ...(batch === undefined ? [] : ['--batch', batch, '--beams', beams]),
    ...(rounds === undefined ? [] : ['--rounds', rounds]),
  ];
  const { out, err, code } = await run([join(here, 'caption.mjs'), checkpoint, ...args]);
  return outcomeOf(linesOf(out), code, err);
}

async function theirs(row) {
  const { kind, place, rounds } = parseRow(row);
  const { said, code, errors } = await peer.perform(
    [checkpoint, ...peerArguments(kind, place), ...(rounds === undefined ? [] : ['--rounds', rounds])],
    LIMIT_MS,
  );
  return { ...outcomeOf(said, code, errors), ...(kind === 'plan' ? { predicted: predictedBy(place) } : {}) };
}

function predictedBy(file) {
  const { cost, devices } = JSON.parse(readFileSync(file, 'utf8'));
  return { latencyMs: cost.latencyMs, gpus: devices.filter(({ id }) => typeof id === 'number') };
}

function peerArguments(kind, place) {
  if (kind === 'auto') return ['--auto', place];
  if (kind === 'map' || kind === 'plan') return ['--map', place];
  if (kind === 'transformers') return [];
  const judged = results.filter(
    ({ ids, quant = null, batch }) => ids !== undefined && quant === null && batch === undefined,
  );
  writeFileSync(idsFile, JSON.stringify(Object.fromEntries(judged.map(({ row, ids }) => [row, ids]))));
  const logits = ['ours', 'webgpu'].map(logitsOf).filter((file) => existsSync(file));
  return [...(logits.length === 0 ? [] : ['--judge', ...logits]), '--judge-ids', idsFile];
}

/** A person's own command, from the start of its process to the caption on its standard output. */
async function blip2Run(row) {
  const { place, quant } = parseRow(row);
  const picture = join(repository, 'models/demo/pictures/shape-00.png');
  const placing = place === 'full' ? ['--provider', 'cuda'] : ['--vram', place];
  const quantising = quant === undefined ? [] : ['--allow-quant', quant];
  const command = join(repository, 'dist/cli/blip2-run.js');
  const began = performance.now();
  const { out, err, code, firstMs } = await run([command, '--model', checkpoint, ...placing, ...quantising, picture]);
  const figures = {
    engine: 'blip2-run',
    processToFirstCaptionMs: firstMs,
    wholeMs: Math.round(performance.now() - began),
  };
  return outcomeOf(out === '' ? [] : [{ ...figures, text: out.trim() }], code, err);
}

async function startPeer() {
  if (peer !== undefined) return;
  peer = new PeerProcess(python);
  await peer.start();
}

/** Budget and what may be quantised; without a budget, what is quantised. */
function placed(place, quant) {
  if (place === 'full') return quant === undefined ? [] : ['--quant', quant];
  return ['--vram', place, ...(quant === undefined ? [] : ['--allow-quant', quant])];
}

async function run(args) {
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  let firstMs;
  child.stdout.on('data', (bytes) => {
    firstMs ??= Math.round(performance.now() - began);
    out += bytes;
  });
  child.stderr.on('data', (bytes) => (err += bytes));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  await once(child, 'close');
  clearTimeout(timer);
  return { out, err, firstMs, code: child.signalCode ?? child.exitCode };
}

function linesOf(out) {
  return out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
}

/** What the process said, or why it said nothing; with the exit code where that is not 0. */
function outcomeOf([first, ...others], code, err) {
  const exitCode = code === 0 ? {} : { exitCode: code };
  if (first !== undefined) return { ...first, ...(others.length === 0 ? {} : { others }), ...exitCode };
  return { error: `${code}: ${err.trim().split('\n').slice(-6).join(' | ').slice(0, 900)}` };
}

function summary() {
  for (const row of new Set(rows)) {
    const times = results.flatMap((result) => (result.row === row && result.captionMs ? [result.captionMs] : []));
    if (times.length < 2) continue;
    const sorted = times.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    process.stdout.write(`${row}: ${median} ms of ${sorted.length} processes (${sorted[0]} to ${sorted.at(-1)})\n`);
  }
}
