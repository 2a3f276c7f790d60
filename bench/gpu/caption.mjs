/**
 * One model on GPU 0, placed by a plan for a budget or by a map; 20 tokens of a made-up picture, greedy, again and again.
 * Prints one JSON line.
 *
 *   npm run build && node bench/gpu/caption.mjs CHECKPOINT [--vram 6G [--reserve 1000M] | --map FILE] [--provider cuda|webgpu]
 *     [--tokens 20] [--rounds 7] [--logits FILE]
 *
 * Without budget and map everything is on the GPU. --logits keeps the prompt's logits, float32, for `transformers_peer.py`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { parseDeviceMap, parseSize, planDeviceMap } from '../../dist/src/planner/index.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    vram: { type: 'string' },
    reserve: { type: 'string', default: '0' },
    map: { type: 'string' },
    provider: { type: 'string', default: 'cuda' },
    tokens: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '7' },
    logits: { type: 'string' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const startedMs = performance.now();

const checkpoint = await openCheckpoint(folder);
const config = parseBlip2Config(checkpoint.config);
const { deviceMap, predicted } = placement();
const opened = performance.now();
const model = await openCaptionModel(config, checkpoint, {
  provider: values.provider,
  ...(deviceMap === undefined ? {} : { deviceMap }),
});
const loadMs = performance.now() - opened;

const { channels, imageSize } = config.vision;
// The same ramp that the peer is given.
const pixels = new Float32Array(channels * imageSize ** 2).map((_, i) => (i % 251) / 125.5 - 1);
const prompt = { textIds: [[config.text.bosTokenId]], textMask: [[1]] };
const rounds = [];
let firstCaptionMs = 0;
for (let round = 0; round <= Number(values.rounds); round++) {
  rounds.push(await caption());
  if (round === 0) firstCaptionMs = performance.now();
}
const counted = rounds.slice(1);
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const medianOf = (field) => Number(median(counted.map((round) => round[field])).toFixed(3));
const figures = {
  engine: 'blip2-run',
  provider: values.provider,
  place: values.map ?? values.vram ?? 'full',
  captionMs: medianOf('captionMs'),
  allMs: rounds.map((round) => Number(round.captionMs.toFixed(1))),
  imageMs: medianOf('imageMs'),
  prefillMs: medianOf('prefillMs'),
  tokenMs: medianOf('tokenMs'),
  planMs: Math.round(opened - startedMs),
  loadMs: Math.round(loadMs),
  processToFirstCaptionMs: Math.round(firstCaptionMs),
  predicted,
  ids: rounds.at(-1).ids,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
await model[Symbol.asyncDispose]();
process.exit(0);

function placement() {
  if (values.map !== undefined) {
    return { deviceMap: parseDeviceMap(JSON.parse(readFileSync(values.map, 'utf8'))), predicted: null };
  }
  if (values.vram === undefined) return { deviceMap: new Map([['', 0]]), predicted: null };
  const result = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    budgets: { gpus: new Map([[0, parseSize(values.vram)]]), ramBytes: null, diskBytes: 0 },
    reserveBytes: parseSize(values.reserve),
    machine: machine(),
  });
  if (result.status === 'infeasible') throw new Error(`does not fit: ${JSON.stringify(result.devices)}`);
  const { devices, cost } = result.plan;
  return {
    deviceMap: result.map,
    predicted: { latencyMs: cost.latencyMs, gpu: devices[0], streamedBytesPerToken: cost.streamedBytesPerToken },
  };
}

/** An H200 as it was measured with this engine: see the results beside this file. The host is never asked to compute. */
function machine() {
  const rates = { streamBytesPerSecond: 55e9, leafMs: 0.005, streamedLeafMs: 0, contextBytes: 0, workspaceBytes: 0 };
  return {
    gpus: [
      {
        name: 'H200',
        memoryBytes: 141e9,
        memoryBytesPerSecond: 2.1e12,
        flopsPerSecond: { float16: 4e14, bfloat16: 4e14, float32: 4e13 },
        link: { bytesPerSecond: 55e9, latencyMs: 0.02 },
        engines: { 'blip2-run': rates, transformers: rates },
        source: 'measured',
      },
    ],
    host: {
      name: 'host',
      memoryBytesPerSecond: 1e6,
      flopsPerSecond: 1e6,
      leafMs: 1000,
      diskBytesPerSecond: 1e9,
      source: 'never used',
    },
  };
}

async function caption() {
  const began = performance.now();
  const prefix = await model.encodeImages(pixels, [1, channels, imageSize, imageSize]);
  const encoded = performance.now();
  const source = model.tokens({ prefix, ...prompt });
  let logits = await source.prefill();
  const prefilled = performance.now();
  if (values.logits !== undefined) writeFileSync(values.logits, new Uint8Array(logits.buffer));
  const ids = [likeliest(logits)];
  while (ids.length < Number(values.tokens)) {
    logits = await source.advance([ids.at(-1)], [0]);
    ids.push(likeliest(logits));
  }
  const ended = performance.now();
  return {
    captionMs: ended - began,
    imageMs: encoded - began,
    prefillMs: prefilled - encoded,
    tokenMs: (ended - prefilled) / (ids.length - 1),
    ids,
  };
}

function likeliest(logits) {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}
