/**
 * One picture by plans for budgets on two cards of one host: the peak of both beside what they may have, and whether all say the same.
 *
 *   npm run build && node bench/gpu/two-cards.mjs CHECKPOINT [--budgets 3G+2G,2G+3G] [--random 12] [--seed 1] [--profile FILE | --gpu H100]
 *
 * Random budgets are 0.9 to 6 GiB a card, in steps of 100 MiB. Every row is a process of `caption.mjs`, planned as blip2-run plans. One JSON
 * line a row, MiB beyond what each card takes idle, and at the end how many rows there were, inside their budgets, and how many answers.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { seededRandom } from '../seeded-random.mjs';
import { withMemory } from './with-memory.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    budgets: { type: 'string', default: '' },
    random: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    profile: { type: 'string' },
    gpu: { type: 'string', default: 'H100' },
  },
});
const [checkpoint] = positionals;
if (checkpoint === undefined) throw new Error('which checkpoint?');
const random = seededRandom(Number(values.seed));
const mebibytes = () => `${900 + 100 * Math.floor(random() * 53)}MiB`;
const rows = [
  ...values.budgets.split(',').filter((row) => row !== ''),
  ...Array.from({ length: Number(values.random) }, () => `${mebibytes()}+${mebibytes()}`),
];
const MIB = 2 ** 20;
const lines = [];
for (const row of rows) {
  const line = await measured(row).catch((error) => ({ failed: String(error.stderr ?? error).slice(-600) }));
  lines.push(line);
  process.stdout.write(`${JSON.stringify({ row, ...line })}\n`);
}
const ran = lines.filter(({ failed }) => failed === undefined);
const inside = ran.filter(({ gpus }) => gpus.every(({ peakMiB, budgetMiB }) => peakMiB <= budgetMiB));
const answers = new Set(ran.map(({ ids }) => ids.join(' ')));
process.stdout.write(
  `${JSON.stringify({ rows: rows.length, ran: ran.length, inside: inside.length, answers: answers.size })}\n`,
);

async function measured(row) {
  const [first, second] = row.split('+');
  const rates = values.profile === undefined ? ['--gpu', values.gpu] : ['--profile', values.profile];
  const args = [
    join(import.meta.dirname, 'caption.mjs'),
    checkpoint,
    '--vram',
    `0=${first}`,
    '--vram',
    `1=${second}`,
    '--rounds',
    '1',
    ...rates,
  ];
  const run = () => promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  const { outcome: inner, ...other } = await withMemory(() => withMemory(run, 0), 1);
  const { captionMs, processToFirstCaptionMs, predicted, ids } = JSON.parse(inner.outcome.stdout);
  const peaks = [inner, other].map(({ atStartBytes, peakBytes }) => Math.round((peakBytes - atStartBytes) / MIB));
  const budgets = [0, 1].map((id) => predicted.gpus.find((gpu) => gpu.id === id));
  return {
    predictedMs: predicted.latencyMs,
    measuredMs: captionMs,
    processToFirstCaptionMs,
    gpus: budgets.map((gpu, id) => ({ peakMiB: peaks[id], budgetMiB: Math.round((gpu?.budgetBytes ?? 0) / MIB) })),
    ids: ids.flat(),
  };
}
