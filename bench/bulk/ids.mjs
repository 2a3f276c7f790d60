/**
 * Ids of 32 pictures, as JSON, for `ids_peer.py` to look up in transformers' float32 logits.
 *
 *   npm run build && node bench/bulk/ids.mjs CHECKPOINT BATCH > ids.json
 */
import { createCaptioner } from '../../dist/src/runtime/index.js';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { parseBlip2Config } from '../../dist/src/model/blip2-config.js';

const [folder, batch] = process.argv.slice(2);
if (folder === undefined || batch === undefined) throw new Error('which checkpoint, and how many at once?');
const checkpoint = await openCheckpoint(folder);
const side = parseBlip2Config(checkpoint.config).vision.imageSize;
const pictures = Array.from({ length: 32 }, (_, number) => ({
  width: side,
  height: side,
  data: Uint8Array.from({ length: 3 * side * side }, (__, i) => (i * (number + 1)) % 251),
}));
const plan = new Map([['', 0]]);
const captioner = await createCaptioner(checkpoint, { provider: 'cuda', inProcess: true, plan });
const ids = [];
const options = { batchSize: Number(batch), maxNewTokens: 20, minNewTokens: 0 };
for await (const outcome of captioner.captionAll(pictures, options)) {
  if (outcome.status === 'failed') throw outcome.error;
  ids[outcome.caption.index] = outcome.caption.answers[0].ids;
}
await captioner[Symbol.asyncDispose]();
process.stdout.write(`${JSON.stringify(ids)}\n`);
process.exit(0);
