/**
 * One model on the GPUs, placed by a plan for budgets or by a map; 20 tokens of made-up pictures, again and again.
 * Prints one JSON line.
 *
 *   npm run build && node bench/gpu/caption.mjs CHECKPOINT [--vram 6G [--vram 1=4G] [--allow-quant int8] | --map FILE | --quant int8]
 *     [--gpu H200 | --profile FILE] [--provider cuda|webgpu] [--batch 1] [--beams 1] [--tokens 20] [--rounds 7]
 *     [--logits FILE] [--logits-each-token]
 *
 * Budgets are planned as blip2-run plans them: with the profile of the card that --gpu names or the one that
 * blip2-plan --calibrate printed, what the driver and the sessions take counted. Without budget and map everything is on the GPU; --quant then says what the language model is quantised to.
 * --logits keeps the prompt's logits, float32, for `transformers_peer.py`; --logits-each-token brings every token's logits to
 * the host, as sampling does.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { blip2Blocks } from '../../dist/src/model/blocks.js';
import { KNOWN_GPUS, UNKNOWN_HOST, parseDeviceMap, parseSize, planDeviceMap } from '../../dist/src/planner/index.js';
import { parseMachineProfile } from '../../dist/src/planner/price/device-profile.js';
import { readPlan } from '../../dist/src/planner/plan/document/read-plan.js';
import { generate } from '../../dist/src/runtime/generation/generate.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    vram: { type: 'string', multiple: true },
    'allow-quant': { type: 'string' },
    quant: { type: 'string' },
    gpu: { type: 'string', default: 'H200' },
    profile: { type: 'string' },
    batch: { type: 'string', default: '1' },
    beams: { type: 'string', default: '1' },
    map: { type: 'string' },
    provider: { type: 'string', default: 'cuda' },
    tokens: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '7' },
    logits: { type: 'string' },
    'logits-each-token': { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const startedMs = performance.now();

const checkpoint = await openCheckpoint(folder);
const config = parseBlip2Config(checkpoint.config);
const { options, predicted } = placement();
const opened = performance.now();
const model = await openCaptionModel(config, checkpoint, {
  provider: values.provider,
  ...options,
});
const loadMs = performance.now() - opened;

const { channels, imageSize } = config.vision;
const [batch, beams, tokens] = [values.batch, values.beams, values.tokens].map(Number);
// The first is the ramp that the peer is given.
const pictureSize = channels * imageSize ** 2;
const pixels = new Float32Array(batch * pictureSize).map((_, i) => {
  const picture = Math.floor(i / pictureSize);
  return (((1 + picture) * (i % pictureSize)) % 251) / 125.5 - 1;
});
const rows = (row) => Array.from({ length: batch }, () => row);
const prompt = { textIds: rows([config.text.bosTokenId ?? 1]), textMask: rows([1]) };
/** What an InstructBLIP's Q-Former reads. */
const INSTRUCTION = [101, 2054, 2003, 2023, 102];
const words =
  config.qformer.text === null ? undefined : { ids: rows(INSTRUCTION), mask: rows(INSTRUCTION.map(() => 1)) };
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
  place: values.map ?? values.vram?.join(' ') ?? 'full',
  quant: values['allow-quant'] ?? values.quant ?? null,
  captionMs: medianOf('captionMs'),
  allMs: rounds.map((round) => Number(round.captionMs.toFixed(1))),
  imageMs: medianOf('imageMs'),
  prefillMs: medianOf('prefillMs'),
  tokenMs: medianOf('tokenMs'),
  planMs: Math.round(opened - startedMs),
  loadMs: Math.round(loadMs),
  processToFirstCaptionMs: Math.round(firstCaptionMs),
  ...(batch * beams === 1 ? {} : { batch, beams }),
  predicted,
  ids: rounds.at(-1).ids,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
await model[Symbol.asyncDispose]();
process.exit(0);

function placement() {
  if (values.map !== undefined) {
    return { options: { deviceMap: parseDeviceMap(JSON.parse(readFileSync(values.map, 'utf8'))) }, predicted: null };
  }
  if (values.vram === undefined) {
    const blocks = values.quant === undefined ? [] : blip2Blocks(config);
    const quant = new Map(blocks.map(({ name }) => [name, values.quant]));
    return { options: { deviceMap: new Map([['', 0]]), quant }, predicted: null };
  }
  const gpus = new Map(
    values.vram.map((given, index) => {
      const [size = '', gpu = String(index)] = given.split('=').toReversed();
      return [Number(gpu), parseSize(size)];
    }),
  );
  const result = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    budgets: { gpus, ramBytes: null, diskBytes: 0 },
    countContext: true,
    provider: values.provider,
    machine: machine(),
    workload: { batch: Number(values.batch), beams: Number(values.beams), newTokens: Number(values.tokens) },
    ...(values['allow-quant'] === undefined ? {} : { allowQuant: values['allow-quant'].split(',') }),
  });
  if (result.status === 'infeasible') throw new Error(`does not fit: ${JSON.stringify(result.devices)}`);
  const { map, quant, hostBlocks, streamGpus } = readPlan(JSON.parse(JSON.stringify(result.plan)));
  const { devices, cost } = result.plan;
  return {
    options: { deviceMap: map, quant, hostBlocks, streamGpus },
    predicted: {
      latencyMs: cost.latencyMs,
      parts: { imageMs: cost.imageMs, promptMs: cost.promptMs, tokensMs: cost.tokenMs },
      gpus: devices.filter(({ id }) => typeof id === 'number'),
      streamedBytesPerToken: cost.streamedBytesPerToken,
      hostBlocks: hostBlocks.size,
      quantisedBlocks: quant.size,
    },
  };
}

function machine() {
  if (values.profile !== undefined) return parseMachineProfile(JSON.parse(readFileSync(values.profile, 'utf8')));
  const card = KNOWN_GPUS.get(values.gpu);
  if (card === undefined) throw new Error(`no card ${values.gpu}`);
  return { gpus: [card], host: UNKNOWN_HOST };
}

async function caption() {
  const began = performance.now();
  const prefix = await model.encodeImages(pixels, [batch, channels, imageSize, imageSize], words);
  const encoded = performance.now();
  const source = model.tokens({ prefix, ...prompt, room: { rows: batch * beams, newTokens: tokens } });
  if (batch * beams > 1) return searched(source, began, encoded);
  const wantsLogits = values.logits !== undefined && rounds.length === 0;
  if (wantsLogits) {
    const logits = await source.prefill();
    writeFileSync(values.logits, new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
  }
  const steps = values['logits-each-token'] || source.likeliest === undefined ? logitSteps(source) : source.likeliest;
  const ids = [...(await steps.prefill())];
  const prefilled = performance.now();
  while (ids.length < tokens) ids.push(...(await steps.advance([ids.at(-1)], [0])));
  const ended = performance.now();
  return {
    captionMs: ended - began,
    imageMs: encoded - began,
    prefillMs: prefilled - encoded,
    tokenMs: (ended - prefilled) / (ids.length - 1),
    ids,
  };
}

/** Several pictures or beams, none of which ends early. */
async function searched(source, began, encoded) {
  const contextIds = rows(config.text.family === 't5' ? [config.text.decoderStartTokenId] : prompt.textIds[0]);
  const search = { numBeams: beams, maxNewTokens: tokens };
  const found = await generate(source, { contextIds, eosTokenIds: [] }, search);
  const ended = performance.now();
  return {
    captionMs: ended - began,
    imageMs: encoded - began,
    prefillMs: 0,
    tokenMs: (ended - encoded) / tokens,
    ids: found.map(([best]) => best.ids),
  };
}

function logitSteps(source) {
  return {
    prefill: async () => [likeliest(await source.prefill())],
    advance: async (ids, parents) => [likeliest(await source.advance(ids, parents))],
  };
}

function likeliest(logits) {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}
