/**
 * What a device takes for pictures that are pixels already, by batch: encoding, prompts and a step of all rows. One JSON line a batch.
 *
 *   npm run build && node bench/bulk/device.mjs CHECKPOINT [--batches 1,32,64,128,256] [--tokens 20] [--rounds 3] [--quant int8]
 *   node bench/bulk/device.mjs CHECKPOINT --vram 4G [--allow-quant int8]
 *     [--batch 24 --encoded 8 [--caches int8]]    the plan's where they are not said
 */
import { parseArgs } from 'node:util';
import { convertFloats } from '../../dist/src/loader/convert/convert-floats.js';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { blip2Blocks } from '../../dist/src/model/blocks.js';
import { parseSize } from '../../dist/src/planner/index.js';
import { placedDevices } from '../../dist/src/runtime/placement/placement.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    batches: { type: 'string', default: '1,32,64,128,256' },
    tokens: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    quant: { type: 'string' },
    vram: { type: 'string' },
    'allow-quant': { type: 'string' },
    encoded: { type: 'string' },
    batch: { type: 'string' },
    caches: { type: 'string' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const checkpoint = await openCheckpoint(folder);
const config = parseBlip2Config(checkpoint.config);
const tokens = Number(values.tokens);
const schemes = new Map(values.quant === undefined ? [] : blip2Blocks(config).map(({ name }) => [name, values.quant]));
const options =
  values.vram === undefined
    ? { provider: 'cuda', deviceMap: new Map([['', 0]]), quant: schemes }
    : await placedDevices(checkpoint, planned());
const model = await openCaptionModel(config, checkpoint, options);
const batches = values.vram === undefined ? values.batches.split(',').map(Number) : [options.plan.workload.batch];
const { channels, imageSize } = config.vision;
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

for (const batch of batches) {
  const size = channels * imageSize ** 2;
  const pixels = new Float32Array(batch * size).map(
    (_, i) => (((((i / size) | 0) + 1) * (i % size)) % 251) / 125.5 - 1,
  );
  const prompt = {
    textIds: Array.from({ length: batch }, () => [config.text.bosTokenId ?? 1]),
    textMask: Array.from({ length: batch }, () => [1]),
  };
  const given = model.pixelFloat === 'F16' ? halves(pixels) : pixels;
  const parents = Array.from({ length: batch }, (_, row) => row);
  const rounds = [];
  for (let round = 0; round <= Number(values.rounds); round++) {
    const began = performance.now();
    const prefix = await model.encodeImages(given, [batch, channels, imageSize, imageSize]);
    const encoded = performance.now();
    model.reserve?.({ rows: batch, newTokens: tokens, promptTokens: prefix.dims[1] + 1 });
    const source = model.tokens({
      prefix,
      ...prompt,
      room: { rows: batch, newTokens: tokens, promptTokens: prefix.dims[1] + 1 },
    });
    let ids = await source.likeliest.prefill();
    const prefilled = performance.now();
    const stamps = [Date.now()];
    for (let token = 1; token < tokens; token++) ids = await source.likeliest.advance(ids, parents);
    stamps.push(Date.now());
    const ended = performance.now();
    rounds.push({
      imageMs: (encoded - began) / batch,
      prefillMs: (prefilled - encoded) / batch,
      stepMs: (ended - prefilled) / (tokens - 1),
      picturesPerSecond: (1000 * batch) / (ended - began),
      stamps,
    });
  }
  const counted = rounds.slice(1);
  const of = (field) => Number(median(counted.map((round) => round[field])).toFixed(3));
  const line = {
    batch,
    imageMs: of('imageMs'),
    prefillMs: of('prefillMs'),
    stepMs: of('stepMs'),
    picturesPerSecond: of('picturesPerSecond'),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
process.exit(0);

function halves(pixels) {
  const made = new Uint16Array(pixels.length);
  convertFloats(new Uint8Array(pixels.buffer), 'F32', new Uint8Array(made.buffer), 'F16');
  return made;
}

function planned() {
  const budgets = { gpus: new Map([[0, parseSize(values.vram)]]), ramBytes: null, diskBytes: 0 };
  const { batch, encoded, caches } = values;
  const workload = {
    newTokens: tokens,
    ...(batch === undefined ? {} : { batch: Number(batch) }),
    ...(encoded === undefined ? {} : { encoded: Number(encoded) }),
    ...(caches === undefined ? {} : { caches }),
  };
  const allowQuant = values['allow-quant'] === undefined ? [] : values['allow-quant'].split(',');
  const planning = { workload, allowQuant, ...(batch === undefined ? { batches: 'auto' } : {}) };
  const report = (progress) => {
    if (progress.stage !== 'planned') return;
    const { cost, placements, workload: work, devices } = progress.plan;
    const count = (execution, quant) =>
      placements.filter((each) => each.execution === execution && (each.quant ?? null) === quant).length;
    const kinds = ['resident', 'streamed', 'host'].flatMap((execution) =>
      [null, 'int8', 'int4'].map((scheme) => [`${execution} ${scheme ?? 'floats'}`, count(execution, scheme)]),
    );
    const shares = Object.fromEntries(kinds.filter(([, blocks]) => blocks > 0));
    process.stdout.write(
      `${JSON.stringify({ batch: work.batch, encoded: work.encoded, caches: work.caches, cost, shares, freeBytes: devices[0]?.freeBytes })}\n`,
    );
  };
  return { provider: 'cuda', budgets, planning, onProgress: report };
}
