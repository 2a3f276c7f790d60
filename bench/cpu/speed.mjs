/**
 * One captioner on this machine's CPU: time to ready, anonymous memory, picture, prompt and token times, and how fast
 * decoding reads its weights next to a plain memory sweep of the same run. Prints one JSON object.
 *
 *   npm run build && node bench/cpu/speed.mjs CHECKPOINT [--tokens 20] [--threads N] [--rounds 3] [--prompt-tokens 1]
 *     [--batch 1] [--quant int8|int4]
 */
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';
import { blip2Blocks } from '../../dist/src/model/blocks.js';
import { openCaptionModel } from '../../dist/src/runtime/session/open-caption-model.js';
import { quantizeBlocks } from '../../dist/src/runtime/session/cpu/quantize-blocks.js';
import { languageQuant } from './language-quant.mjs';
import { memorySweep } from './memory-sweep.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '20' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '3' },
    'prompt-tokens': { type: 'string', default: '1' },
    batch: { type: 'string', default: '1' },
    quant: { type: 'string' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('which checkpoint?');
const threads = Number(values.threads);
const tokens = Number(values.tokens);
const batch = Number(values.batch);

const sweepBytesPerSecond = await memorySweep(threads);

const opened = await openCheckpoint(folder);
const config = parseBlip2Config(opened.config);
const quant = languageQuant(config, values.quant);
const warm = await quantizeBlocks(config, opened, { quant });
for (const file of warm.files) await readThrough(file.path);

const before = memory();
let began = performance.now();
const checkpoint = await openCheckpoint(folder);
const sessions = await openCaptionModel(config, checkpoint, { provider: 'cpu', threads, quant });
const readyMs = performance.now() - began;
const ready = memory();

const { channels, imageSize } = config.vision;
// A grey ramp that needs no random generator: transformers_peer.py is given the same.
const pixels = new Float32Array(batch * channels * imageSize ** 2).map((_, i) => (i % 251) / 125.5 - 1);
const rows = Array.from({ length: batch }, (_, row) => row);
const prompt = Array.from({ length: Number(values['prompt-tokens']) }, (_, i) => config.text.bosTokenId + i);
const textIds = rows.map(() => prompt);
const textMask = rows.map(() => prompt.map(() => 1));
const rounds = [];
let ids = [];
for (let round = 0; round < Number(values.rounds); round++) {
  began = performance.now();
  const prefix = await sessions.encodeImages(pixels, [batch, channels, imageSize, imageSize]);
  const imageMs = performance.now() - began;
  const source = sessions.tokens({ prefix, textIds, textMask });
  began = performance.now();
  let logits = await source.prefill();
  const prefillMs = performance.now() - began;
  const tokenMs = [];
  let newest = likeliest(logits);
  ids = [newest[0]];
  while (ids.length < tokens) {
    began = performance.now();
    logits = await source.advance(newest, rows);
    newest = likeliest(logits);
    ids.push(newest[0]);
    tokenMs.push(performance.now() - began);
  }
  const totalMs = imageMs + prefillMs + tokenMs.reduce((sum, ms) => sum + ms, 0);
  rounds.push({ imageMs, prefillMs, tokenMs: median(tokenMs), totalMs });
}
const after = memory();
const weightBytes = [...warm.tensors.values()].reduce((sum, tensor) => sum + tensor.end - tensor.begin, 0);
const tokenBytes = bytesPerToken();
const tokenMs = median(rounds.map((round) => round.tokenMs));
await sessions[Symbol.asyncDispose]();

const figures = {
  threads,
  batch,
  quant: values.quant ?? null,
  weightBytes,
  readyMs: Math.round(readyMs),
  anonymousAtReadyBytes: ready.anonymous - before.anonymous,
  anonymousAtReadyShare: (ready.anonymous - before.anonymous) / weightBytes,
  peakAnonymousBytes: Math.max(ready.anonymous, after.anonymous),
  imageMs: Math.round(median(rounds.map((round) => round.imageMs))),
  prefillMs: Math.round(median(rounds.map((round) => round.prefillMs))),
  tokenMs: Math.round(tokenMs * 10) / 10,
  captionMs: Math.round(median(rounds.map((round) => round.totalMs))),
  tokensPerSecond: (batch * 1000) / tokenMs,
  decodeGBs: tokenBytes / tokenMs / 1e6,
  sweepGBs: sweepBytesPerSecond / 1e9,
  decodeShareOfSweep: (tokenBytes * 1000) / tokenMs / sweepBytesPerSecond,
  ids,
};
process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);

/** Weights that one token reads: not the position table, cross-attention's keys, or a token table that is not the head. */
function bytesPerToken() {
  const ownHead = [...warm.tensors.keys()].some((name) => name.startsWith('language_model.lm_head.'));
  const rowsOnly = ['opt-positions', ...(ownHead ? ['opt-tokens', 't5-tokens'] : [])];
  const blocks = blip2Blocks(config).filter((block) => block.phase === 'token' && !rowsOnly.includes(block.kind));
  let bytes = 0;
  for (const [name, tensor] of warm.tensors) {
    if (/EncDecAttention\.[kv]\./.test(name)) continue;
    if (blocks.some((block) => name.startsWith(`${block.name}.`))) bytes += tensor.end - tensor.begin;
  }
  return bytes;
}

function memory() {
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024;
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8');
  return { anonymous: field('Anonymous'), resident: field('Rss') };
}

async function readThrough(path) {
  const file = await open(path);
  const buffer = Buffer.alloc(1 << 24);
  while ((await file.read(buffer, 0, buffer.length)).bytesRead > 0);
  await file.close();
}

/** The likeliest id of each row. */
function likeliest(scores) {
  const width = scores.length / batch;
  return rows.map((row) => {
    let best = row * width;
    for (let i = best; i < (row + 1) * width; i++) if (scores[i] > scores[best]) best = i;
    return best - row * width;
  });
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
