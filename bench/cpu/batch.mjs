/**
 * Pictures per second one by one and in batches, and whether both give the same ids. Prints one JSON object. Every picture
 * and every prompt is different; prompts have different lengths.
 *
 *   npm run build && node bench/cpu/batch.mjs CHECKPOINT [--batch 8] [--tokens 20] [--rounds 3] [--threads N]
 *     [--quant int8|int4] [--batched-only]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { generate } from '../../dist/src/runtime/generation/generate.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';
import { languageQuant } from './language-quant.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '8' },
    quant: { type: 'string' },
    tokens: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    'batched-only': { type: 'boolean', default: false },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const [batch, tokens, threads] = [values.batch, values.tokens, values.threads].map(Number);

const checkpoint = await openCheckpoint(folder);
const config = parseBlip2Config(checkpoint.config);
const { text, vision } = config;
const sessions = await openCaptionModel(config, checkpoint, {
  provider: 'cpu',
  threads,
  quant: languageQuant(config, values.quant),
});
const size = vision.channels * vision.imageSize ** 2;
const jobs = Array.from({ length: batch }, (_, picture) => ({
  pixels: new Float32Array(size).map((_value, i) => ((i * (picture + 1)) % 251) / 125.5 - 1),
  prompt: [text.bosTokenId, ...Array.from({ length: picture % 4 }, (_value, i) => 100 + 10 * picture + i)],
}));

// A stop id would end some pictures earlier than others: both ways do the same work without one.
async function caption(some) {
  const pixels = new Float32Array(some.length * size);
  some.forEach((job, row) => pixels.set(job.pixels, row * size));
  const times = { picture: 0, text: 0 };
  let began = performance.now();
  const prefix = await sessions.encodeImages(pixels, [
    some.length,
    vision.channels,
    vision.imageSize,
    vision.imageSize,
  ]);
  times.picture = performance.now() - began;
  began = performance.now();
  const width = Math.max(...some.map(({ prompt }) => prompt.length));
  const padded = (row, fill) => {
    const padding = Array(width - row.length).fill(fill);
    return text.family === 't5' ? [...row, ...padding] : [...padding, ...row];
  };
  const source = sessions.tokens({
    prefix,
    textIds: some.map(({ prompt }) => padded(prompt, text.padTokenId)),
    textMask: some.map(({ prompt }) => padded(Array(prompt.length).fill(1), 0)),
  });
  const contextIds = some.map(({ prompt }) => (text.family === 't5' ? [text.decoderStartTokenId] : prompt));
  const options = { maxNewTokens: tokens, eosTokenIds: [] };
  const sequences = await generate(source, { contextIds, eosTokenIds: [] }, options);
  times.text = performance.now() - began;
  return { ids: sequences.map(([first]) => first.ids), times };
}

async function run(groups) {
  const ids = [];
  const sum = { picture: 0, text: 0 };
  for (const group of groups) {
    const { ids: some, times } = await caption(group);
    ids.push(...some);
    for (const part of Object.keys(sum)) sum[part] += times[part] / 1000;
  }
  return { ids, seconds: sum.picture + sum.text, ...sum };
}

await caption(jobs.slice(0, 1));
const singles = [];
const batches = [];
for (let round = 0; round < Number(values.rounds); round++) {
  if (!values['batched-only']) singles.push(await run(jobs.map((job) => [job])));
  batches.push(await run([jobs]));
}
await sessions[Symbol.asyncDispose]();

const median = (runs, part) => runs.map((one) => one[part]).sort((a, b) => a - b)[Math.floor(runs.length / 2)];
const summary = (runs) => ({
  picturesPerSecond: batch / median(runs, 'seconds'),
  pictureSeconds: median(runs, 'picture') / batch,
  textSeconds: median(runs, 'text') / batch,
});
const many = summary(batches);
const one = values['batched-only'] ? null : summary(singles);
console.log(
  JSON.stringify(
    {
      checkpoint: folder,
      batch,
      tokens,
      threads,
      oneByOne: one,
      batched: many,
      ...(one && {
        speedup: many.picturesPerSecond / one.picturesPerSecond,
        textSpeedup: one.textSeconds / many.textSeconds,
        sameIds: JSON.stringify(singles[0].ids) === JSON.stringify(batches[0].ids),
      }),
      ids: batches[0].ids,
    },
    null,
    1,
  ),
);
