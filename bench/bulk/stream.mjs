/**
 * Pictures a second through `captionAll` of a whole model in this process, for pictures that are decoded already. One JSON line a
 * batch size.
 *
 *   npm run build && node bench/bulk/stream.mjs CHECKPOINT [--pictures 2048] [--batches auto,64,128] [--vram 6G] [--allow-quant int8]
 *     [--encoded 16 [--caches int8]] [--tokens 20] [--generation '{"numBeams":5}']
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createCaptioner } from '../../dist/src/runtime/index.js';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseSize } from '../../dist/src/planner/index.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    pictures: { type: 'string', default: '2048' },
    batches: { type: 'string', default: '64,128,256' },
    vram: { type: 'string' },
    'allow-quant': { type: 'string' },
    encoded: { type: 'string' },
    caches: { type: 'string' },
    tokens: { type: 'string', default: '20' },
    generation: { type: 'string', default: '{}' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const checkpoint = await openCheckpoint(folder);
const side = checkpoint.config.vision_config?.image_size ?? 224;
const maxNewTokens = Number(values.tokens);
const generation = JSON.parse(values.generation);
const pictureOf = (number) => ({
  width: side,
  height: side,
  data: Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * (number + 1)) % 251),
});
const some = Array.from({ length: 64 }, (_, number) => pictureOf(number));
const pictures = Array.from({ length: Number(values.pictures) }, (_, number) => some[number % some.length]);

for (const given of values.batches.split(',')) {
  const batchSize = given === 'auto' ? 'auto' : Number(given);
  const placement =
    values.vram === undefined
      ? { deviceMap: new Map([['', 0]]) }
      : {
          budgets: { gpus: new Map([[0, parseSize(values.vram)]]), ramBytes: null, diskBytes: 0 },
          planning: {
            // How many are encoded together is the plan's choice, unless it is said.
            ...(values.encoded === undefined
              ? { workload: { newTokens: maxNewTokens }, batches: batchSize === 'auto' ? 'auto' : [batchSize] }
              : {
                  workload: {
                    newTokens: maxNewTokens,
                    batch: batchSize,
                    encoded: Number(values.encoded),
                    ...(values.caches === undefined ? {} : { caches: values.caches }),
                  },
                }),
            allowQuant: values['allow-quant'] === undefined ? [] : values['allow-quant'].split(','),
          },
        };
  const { deviceMap, ...planned } = placement;
  const plan = deviceMap === undefined ? {} : { plan: deviceMap };
  let predicted = {};
  const captioner = await createCaptioner(checkpoint, {
    provider: 'cuda',
    inProcess: true,
    ...planned,
    ...plan,
    onProgress: (progress) => {
      if (progress.stage !== 'planned') return;
      const { cost, placements, devices, workload } = progress.plan;
      const count = (execution) => placements.filter((each) => each.execution === execution).length;
      predicted = {
        planned: { batch: workload.batch, encoded: workload.encoded ?? workload.batch, caches: workload.caches },
        predicted: Math.round((10_000 * workload.batch) / cost.latencyMs) / 10,
        streamed: count('streamed'),
        onHost: count('host'),
        freeMiB: devices.map(({ freeBytes }) => (freeBytes === null ? null : Math.round(freeBytes / 2 ** 20))),
      };
    },
  });
  const rate = async (list) => {
    const began = performance.now();
    let done = 0;
    let failed = 0;
    const ids = createHash('md5');
    const options = { batchSize, maxNewTokens, minNewTokens: 0, ...generation };
    for await (const outcome of captioner.captionAll(list, options)) {
      done += 1;
      if (outcome.status === 'failed') failed += 1;
      else ids.update(JSON.stringify(outcome.caption.answers.map((answer) => answer.ids)));
    }
    const picturesPerSecond = Number(((1000 * done) / (performance.now() - began)).toFixed(1));
    return { picturesPerSecond, failed, ids: ids.digest('hex').slice(0, 8) };
  };
  await rate(pictures.slice(0, batchSize === 'auto' ? 512 : 2 * batchSize));
  process.stdout.write(`${JSON.stringify({ batch: batchSize, ...(await rate(pictures)), ...predicted })}\n`);
  await captioner[Symbol.asyncDispose]();
}
process.exit(0);
