/**
 * What a plan predicts for this machine's CPU, as measured in a blink or calibrated a moment before, next to what captioning
 * then takes.
 *
 *   npm run build && node bench/cpu/predicted.mjs CHECKPOINT [--rates blink|calibrated] [--quant int8|int4] [--tokens 20] [--rounds 3]
 *
 * Prints one JSON object. Other work on the machine slows both sides, but hardly ever by the same factor.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { planDeviceMap } from '../../dist/src/planner/index.js';
import { calibrateMachine } from '../../dist/src/runtime/calibrate/calibrate-machine.js';
import { thisMachine } from '../../dist/src/runtime/calibrate/this-machine.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rates: { type: 'string', default: 'calibrated' },
    quant: { type: 'string' },
    tokens: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');

const cacheFolder = await mkdtemp(join(tmpdir(), 'blip2-predicted-'));
const start = performance.now();
const machine =
  values.rates === 'blink'
    ? await thisMachine({ gpus: [], provider: 'cuda' }, { cacheFolder })
    : await calibrateMachine({ cacheFolder });
const measuringMs = Math.round(performance.now() - start);
await rm(cacheFolder, { recursive: true });

const { tensors, config } = await openCheckpoint(folder);
const result = planDeviceMap(tensors, {
  config,
  machine,
  workload: { newTokens: Number(values.tokens) },
  ...(values.quant === undefined ? {} : { allowQuant: [values.quant] }),
  budgets: { gpus: new Map(), ramBytes: null, diskBytes: 0 },
});
if (result.status !== 'fits') throw new Error(result.status);
const { imageMs, promptMs, tokenMs, latencyMs } = result.plan.cost;

const speed = fileURLToPath(new URL('speed.mjs', import.meta.url));
const { stdout } = await promisify(execFile)(process.execPath, [
  speed,
  folder,
  '--tokens',
  values.tokens,
  '--rounds',
  values.rounds,
  ...(values.quant === undefined ? [] : ['--quant', values.quant]),
]);
const measured = JSON.parse(stdout);
const rows = {
  picture: [imageMs, measured.imageMs],
  prompt: [promptMs, measured.prefillMs],
  token: [tokenMs / Number(values.tokens), measured.tokenMs],
  caption: [latencyMs, measured.captionMs],
};
const { name, memoryBytesPerSecond, flopsPerSecond, leafMs } = machine.host;
const table = Object.entries(rows).map(([part, [predictedMs, measuredMs]]) => ({
  part,
  predictedMs: Number(predictedMs.toPrecision(4)),
  measuredMs,
  ratio: Number((predictedMs / measuredMs).toPrecision(3)),
}));
// `speed.mjs` quantises all blocks of the language model; the plan those where that is worth it, which should be all.
const quantised = Object.keys(result.plan.quant).length;
const host = {
  measuringMs,
  quantised,
  name,
  memoryBytesPerSecond,
  flopsPerSecond,
  leafMs,
  sweepGBs: measured.sweepGBs,
};
process.stdout.write(`${JSON.stringify({ host, table }, null, 1)}\n`);
