/**
 * What a device takes for pictures that are pixels already, by batch: encoding, prompts and a step of all rows. One JSON line a batch.
 *
 *   npm run build && node bench/bulk/device.mjs CHECKPOINT [--batches 1,32,64,128,256] [--tokens 20] [--rounds 3] [--quant int8]
 */
import { parseArgs } from 'node:util';
import { convertFloats } from '../../dist/src/loader/convert/convert-floats.js';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { blip2Blocks } from '../../dist/src/model/blocks.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    batches: { type: 'string', default: '1,32,64,128,256' },
    tokens: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    quant: { type: 'string' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const checkpoint = await openCheckpoint(folder);
const config = parseBlip2Config(checkpoint.config);
const quant = new Map(values.quant === undefined ? [] : blip2Blocks(config).map(({ name }) => [name, values.quant]));
const model = await openCaptionModel(config, checkpoint, { provider: 'cuda', deviceMap: new Map([['', 0]]), quant });
const { channels, imageSize } = config.vision;
const tokens = Number(values.tokens);
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

for (const batch of values.batches.split(',').map(Number)) {
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
    const source = model.tokens({ prefix, ...prompt, room: { rows: batch, newTokens: tokens } });
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
