/**
 * Many pictures through one captioner: resident memory of the process that holds the model and of the caller, after the
 * 50th picture and after the last. Prints one JSON object. Linux: memory is read from /proc.
 *
 *   npm run build && node bench/cpu/memory.mjs [CHECKPOINT] [--pictures 1000] [--batch 1] [--beams 1]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { createCaptioner } from '../../dist/src/runtime/index.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    pictures: { type: 'string', default: '1000' },
    batch: { type: 'string', default: '1' },
    beams: { type: 'string', default: '1' },
  },
});
const demo = fileURLToPath(new URL('../../models/demo', import.meta.url));
const folder = positionals[0] ?? demo;
const pictures = Number(values.pictures);
const FIRST = 50;

const files = readdirSync(join(demo, 'pictures')).map((name) => join(demo, 'pictures', name));
function* many() {
  for (let i = 0; i < pictures; i++) yield files[i % files.length];
}

const children = () =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

const captioner = await createCaptioner(await openCheckpoint(folder));
const [model] = children();
const memory = () => ({ modelBytes: resident(model), callerBytes: resident('self') });
const curve = [];
let [count, after50] = [0, undefined];
const began = performance.now();
const beams = Number(values.beams);
const options = { batchSize: Number(values.batch), ...(beams > 1 ? { numBeams: beams } : {}) };
for await (const caption of captioner.caption(many(), options)) {
  count = caption.index + 1;
  if (count === FIRST) after50 = memory();
  if (count % (pictures / 10) === 0) curve.push({ pictures: count, ...memory() });
}
const seconds = (performance.now() - began) / 1000;
const last = memory();
await captioner[Symbol.asyncDispose]();
const growth = (part) => last[part] / after50[part] - 1;
console.log(
  JSON.stringify(
    {
      checkpoint: folder,
      ...options,
      pictures: count,
      picturesPerSecond: count / seconds,
      after50,
      last,
      growth: { model: growth('modelBytes'), caller: growth('callerBytes') },
      curve,
    },
    null,
    1,
  ),
);
