/**
 * How far plans for one to eight GPUs are proven, and what that takes: the rows of `record_peers.py` and sixteen plans for
 * three to eight cards, under both engines.
 *
 *   npm run build && node bench/planner/proofs.mjs peers.json > proofs.jsonl [--before proofs-of-another-build.jsonl]
 *
 * A line per plan on stdout, a table on stderr. Times are of this process's CPU, which other work hardly changes.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { highsSolver } from '../../dist/src/highs/index.js';
import { blip2Tensors, parseBlip2Config, planDeviceMap } from '../../dist/src/planner/index.js';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { before: { type: 'string' } } });
const recorded = JSON.parse(readFileSync(positionals[0] ?? 'peers.json', 'utf8'));
const models = new Map(
  Object.entries(recorded.shapes).map(([name, config]) => {
    const full = { model_type: 'blip-2', ...config };
    return [name, { config: full, tensors: blip2Tensors(parseBlip2Config(full), { dtype: 'F32', ownHead: false }) }];
  }),
);
const GB = 1e9;
const EIGHT_UNEQUAL = [2, 1.5, 1.2, 1, 1, 0.8, 0.7, 0.5];
const MORE_CARDS = [
  ['opt-2.7b', [2, 5.6]],
  ['opt-2.7b', [2.55, 2.55, 2.55]],
  ['opt-2.7b', [1.9, 1.9, 1.9, 1.9]],
  ['opt-2.7b', [1.2, 2.1, 0.9, 3]],
  ['opt-2.7b', Array.from({ length: 8 }, () => 1)],
  ['opt-2.7b', [1.3, 1.2, 1.1, 1.05, 1, 0.95, 0.9, 0.8]],
  ['opt-2.7b', EIGHT_UNEQUAL],
  ['flan-t5-xl', EIGHT_UNEQUAL],
].map(([shape, sizes]) => ({ shape, split: 'more', fraction: sizes.join('+'), gpus: sizes.map((size) => size * GB) }));

const integerSolver = await highsSolver();
const rows = ['transformers', 'blip2-run'].flatMap((engine) =>
  [...recorded.rows, ...MORE_CARDS].map((row) => {
    const { config, tensors } = models.get(row.shape);
    const gpus = new Map(row.gpus.map((bytes, id) => [id, bytes]));
    const start = process.cpuUsage().user;
    const options = {
      config,
      engine,
      budgets: { gpus, ramBytes: null, diskBytes: 0 },
      ...(gpus.size > 1 ? { integerSolver } : {}),
    };
    const { plan } = planDeviceMap(tensors, options);
    const cpuMs = (process.cpuUsage().user - start) / 1000;
    const { status, gap } = plan.solver;
    const key = `${engine} ${row.shape} ${row.split} ${row.fraction}`;
    const result = { key, engine, split: row.split, status, gap, cpuMs, latencyMs: plan.cost.latencyMs };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return result;
  }),
);

const before = new Map(
  values.before === undefined
    ? []
    : readFileSync(values.before, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map((row) => [row.key, row]),
);
const at = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.floor(share * (numbers.length - 1))] ?? 0;
for (const engine of ['transformers', 'blip2-run']) {
  for (const split of ['one', 'equal', 'unequal', 'more']) {
    const own = rows.filter((row) => row.engine === engine && row.split === split);
    const open = own.filter((row) => row.status !== 'optimal').map(({ gap }) => 100 * gap);
    const times = own.map(({ cpuMs }) => cpuMs);
    const change = own
      .filter(({ key }) => before.has(key))
      .map(({ key, latencyMs }) => latencyMs / before.get(key).latencyMs - 1);
    console.error(
      `${engine.padEnd(13)} ${split.padEnd(8)} ${own.length} plans, ${open.length} open (gap ${at(open, 0.5).toFixed(2)} % median, ${at(open, 1).toFixed(2)} % most), CPU ${at(times, 0.5).toFixed(0)} ms median, ${at(times, 1).toFixed(0)} ms most` +
        (change.length === 0
          ? ''
          : `; faster plans ${change.filter((c) => c < -1e-6).length} (to ${(100 * Math.min(...change)).toFixed(1)} %), slower ${change.filter((c) => c > 1e-6).length} (to ${(100 * Math.max(...change)).toFixed(2)} %)`),
    );
  }
}
