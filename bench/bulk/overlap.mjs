/**
 * What a card does when pictures are encoded beside steps: each alone, then both, and where the time of encoding goes. JSON lines.
 *
 *   npm run build && node bench/bulk/overlap.mjs CHECKPOINT [--rows 256] [--pieces 64,32,16] [--steps 60] [--timeline]
 *
 * `busy` is the time that pictures and steps would have taken one after the other, over the time that they took together: 1 is no
 * gain, and more is what the card does at once. `--timeline` adds what the feeding thread and the encoding thread did, in ms.
 */
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { convertFloats } from '../../dist/src/loader/convert/convert-floats.js';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { RunThread } from '../../dist/src/runtime/device/thread/run-thread.js';
import { CudaMemory } from '../../dist/src/runtime/device/memory/cuda-memory.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '256' },
    pieces: { type: 'string', default: '64,32,16' },
    steps: { type: 'string', default: '60' },
    timeline: { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const spans = [];
if (values.timeline) {
  for (const name of ['upload', 'uploadParts', 'download', 'downloadBeside', 'synchronize']) {
    watch(CudaMemory.prototype, name, name);
  }
  watch(RunThread.prototype, 'run', 'encode');
}
const checkpoint = await openCheckpoint(folder);
const config = parseBlip2Config(checkpoint.config);
const model = await openCaptionModel(config, checkpoint, { provider: 'cuda', deviceMap: new Map([['', 0]]) });
const { channels, imageSize } = config.vision;
const [rows, steps] = [Number(values.rows), Number(values.steps)];
const size = channels * imageSize ** 2;
const pixelsOf = (count) => {
  const floats = new Float32Array(count * size).map((_, i) => ((i * (1 + Math.floor(i / size))) % 251) / 125.5 - 1);
  if (model.pixelFloat !== 'F16') return floats;
  const made = new Uint16Array(floats.length);
  convertFloats(new Uint8Array(floats.buffer), 'F32', new Uint8Array(made.buffer), 'F16');
  return made;
};
const encode = (piece) => model.encodeImages(piece.pixels, [piece.count, channels, imageSize, imageSize]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const timed = async (work) => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

const prefix = await encode({ pixels: pixelsOf(rows), count: rows });
const room = { rows, newTokens: steps + 8, promptTokens: prefix.dims[1] + 1 };
model.reserve?.(room);
const prompt = {
  textIds: Array.from({ length: rows }, () => [config.text.bosTokenId ?? 1]),
  textMask: Array.from({ length: rows }, () => [1]),
};
const source = model.tokens({ prefix, ...prompt, room });
const parents = Array.from({ length: rows }, (_, row) => row);
let ids = [];
const begin = async () => (ids = await source.likeliest.prefill());
const step = async () => (ids = await source.likeliest.advance(ids, parents));
const manySteps = async (count) => {
  for (let i = 0; i < count; i++) {
    await step();
    await setImmediate();
  }
};
await begin();
await manySteps(4);
await begin();
const promptMs = (await timed(begin)) / rows;
const stepMs = (await timed(() => manySteps(20))) / 20;
say({ rows, promptMs: round(promptMs), stepMs: round(stepMs) });

for (const count of values.pieces.split(',').map(Number)) {
  const piece = { pixels: pixelsOf(count), count };
  await encode(piece);
  const rounds = Math.ceil(512 / count);
  const awaited = await timed(async () => {
    for (let i = 0; i < rounds; i++) await encode(piece);
  });
  const inARow = async (isWanted) => {
    const flying = [];
    let asked = 0;
    while (isWanted(asked)) {
      flying.push(encode(piece));
      asked += 1;
      if (flying.length === Math.max(1, model.encodingsBeside ?? 0)) await flying.shift();
    }
    await Promise.all(flying);
    return asked;
  };
  spans.length = 0;
  const flowing = await timed(() => inARow((asked) => asked < rounds));
  const alone = flowing / (rounds * count);
  if (values.timeline) sayTimeline('encoding alone');
  say({ piece: count, awaitedMs: round(awaited / (rounds * count)), inARowMs: round(alone) });
  await begin();
  await step();
  let isStepping = true;
  const began = performance.now();
  spans.length = 0;
  const encoding = inARow(() => isStepping);
  await manySteps(steps);
  const steppedMs = performance.now() - began;
  isStepping = false;
  const asked = await encoding;
  const bothMs = performance.now() - began;
  if (values.timeline) sayTimeline('both');
  const oneByOne = asked * count * alone + steps * stepMs;
  say({
    piece: count,
    pictures: asked * count,
    steps,
    stepBesideMs: round(steppedMs / steps),
    bothMs: round(bothMs),
    busy: round(oneByOne / bothMs),
  });
}
process.exit(0);

function round(value) {
  return Number(value.toFixed(3));
}

/** Records when a method begins and ends, also where it answers later. */
function watch(prototype, method, name) {
  const own = prototype[method];
  prototype[method] = function (...args) {
    const span = { name, began: performance.now(), ended: 0 };
    spans.push(span);
    const end = () => (span.ended = performance.now());
    const result = own.apply(this, args);
    if (result instanceof Promise) result.then(end, end);
    else end();
    return result;
  };
}

/** Totals by name, and the gaps between one encoding and the next. */
function sayTimeline(what) {
  const all = spans.splice(0);
  const totals = {};
  for (const { name, began, ended } of all) {
    const total = (totals[name] ??= { calls: 0, ms: 0 });
    total.calls += 1;
    total.ms += ended - began;
  }
  const runs = all.filter(({ name }) => name === 'encode');
  const gaps = runs.slice(1).map((run, i) => run.began - runs[i].ended);
  const idle = gaps.filter((gap) => gap > 0).reduce((sum, gap) => sum + gap, 0);
  const named = Object.entries(totals).map(([name, { calls, ms }]) => [name, { calls, ms: round(ms) }]);
  say({ what, ...Object.fromEntries(named), askedLateMs: round(idle), runs: runs.length });
}
