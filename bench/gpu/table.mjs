/**
 * Rows of captioning on one card, ours and transformers', each in a process of its own with the memory watched from
 * outside. Every row is written to the results as soon as it is there; a row that fails says why and the next one runs.
 *
 *   node bench/gpu/table.mjs CHECKPOINT RESULTS.json PYTHON ROW [ROW ...]
 *
 * ROW: ours:full  ours:full:int8  ours:6G  ours:4G:int8 (quantising allowed)  ours-map:FILE  webgpu:full  webgpu:full:int8
 *      auto:6GiB  map:FILE  transformers:full  accuracy. Followed by @N for N rounds, as in auto:2GiB@2.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [checkpoint, resultsFile, python, ...rows] = process.argv.slice(2);
if (rows.length === 0) throw new Error('which rows?');
const here = import.meta.dirname;
/** Logits of the prompt, by the kind of the row that left them. */
const logitsOf = (kind) => `${resultsFile}.${kind}.logits`;
const LIMIT_MS = 150_000;
const MIB = 2 ** 20;
const results = [];

for (const row of rows) {
  const began = performance.now();
  const result = await measure(row);
  results.push({ row, ...result });
  writeFileSync(resultsFile, JSON.stringify(results, null, 1));
  const peak =
    result.peakBytes === undefined ? '' : `${Math.round((result.peakBytes - result.atStartBytes) / MIB)} MiB`;
  const { captionMs, imageMs, prefillMs, tokenMs, loadMs, processToFirstCaptionMs } = result;
  const { relativeError, ratio, others, exitCode, error } = result;
  const figures = {
    captionMs,
    imageMs,
    prefillMs,
    tokenMs,
    loadMs,
    processToFirstCaptionMs,
    peak,
    relativeError,
    ratio,
    others,
    exitCode,
    error,
  };
  process.stdout.write(`${row} ${JSON.stringify(figures)} in ${Math.round(performance.now() - began)} ms\n`);
}

async function measure(row) {
  const watcher = spawn(process.execPath, [join(here, 'watch-memory.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: watcher.stdout });
  const said = [];
  lines.on('line', (line) => said.push(line));
  await Promise.race([once(lines, 'line'), once(watcher, 'exit')]);
  const outcome = await run(...commandOf(row));
  watcher.stdin.end();
  if (watcher.exitCode === null) await once(watcher, 'exit');
  const memory = said.find((line) => line.startsWith('{'));
  return { ...outcome, ...(memory === undefined ? {} : JSON.parse(memory)) };
}

function commandOf(row) {
  const [what, rounds] = row.split('@');
  const [kind, ...rest] = what.split(':');
  const repeat = rounds === undefined ? [] : ['--rounds', rounds];
  const ours = (...args) => [process.execPath, [join(here, 'caption.mjs'), checkpoint, ...args, ...repeat]];
  const theirs = (...args) => [python, [join(here, 'transformers_peer.py'), checkpoint, ...args, ...repeat]];
  switch (kind) {
    case 'ours':
      return ours(...placed(rest), ...kept(what));
    case 'ours-map':
      return ours('--map', rest[0]);
    case 'webgpu':
      return ours('--provider', 'webgpu', ...placed(rest), ...kept(what));
    case 'auto':
      return theirs('--auto', rest[0]);
    case 'map':
      return theirs('--map', rest[0]);
    case 'transformers':
      return theirs();
    case 'accuracy':
      return theirs('--judge', ...['ours', 'webgpu'].map(logitsOf).filter((file) => existsSync(file)));
    default:
      throw new Error(`no row ${row}`);
  }
}

/** What everything on the GPU in float16 says to the prompt is kept to be judged. */
function kept(what) {
  const [kind, place, quant] = what.split(':');
  return place === 'full' && quant === undefined ? ['--logits', logitsOf(kind)] : [];
}

/** Budget and what may be quantised; without a budget, what is quantised. */
function placed([place, quant]) {
  if (place === 'full') return quant === undefined ? [] : ['--quant', quant];
  return ['--vram', place, ...(quant === undefined ? [] : ['--allow-quant', quant])];
}

/** The JSON that the process wrote, or why there is none; with the exit code where that is not 0. */
async function run(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes) => (out += bytes));
  child.stderr.on('data', (bytes) => (err += bytes));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  await once(child, 'close');
  clearTimeout(timer);
  const said = out.split('\n').filter((line) => line.startsWith('{'));
  const [first, ...others] = said.map((line) => JSON.parse(line));
  const exitCode = child.exitCode === 0 ? {} : { exitCode: child.signalCode ?? child.exitCode };
  if (first !== undefined) return { ...first, ...(others.length === 0 ? {} : { others }), ...exitCode };
  return {
    error: `${child.signalCode ?? child.exitCode}: ${err.trim().split('\n').slice(-6).join(' | ').slice(0, 900)}`,
  };
}
