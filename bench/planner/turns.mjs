/**
 * How long `--objective throughput` searches for the shortest turn, and how close it comes to its bound.
 *
 *   npm run build && node bench/planner/turns.mjs peers.json > turns.jsonl
 *
 * The shapes come from record_peers.py; budgets are a fifth to four fifths of the float16 weights, split over one to eight
 * cards. A line per plan on stdout, a table on stderr. Times are of this process's CPU.
 */
import { readFileSync } from 'node:fs';
import { highsSolver } from '../../dist/src/highs/index.js';
import { blip2Tensors, parseBlip2Config, planDeviceMap } from '../../dist/src/planner/index.js';

const recorded = JSON.parse(readFileSync(process.argv[2] ?? 'peers.json', 'utf8'));
const SPLITS = {
  one: [1],
  'two equal': [1, 1],
  'two unequal': [3, 7],
  'four equal': [1, 1, 1, 1],
  'four unequal': [1, 2, 3, 4],
  'eight equal': [1, 1, 1, 1, 1, 1, 1, 1],
  'eight unequal': [2, 1.5, 1.2, 1, 1, 0.8, 0.7, 0.5],
};

const integerSolver = await highsSolver();
const rows = ['opt-2.7b', 'flan-t5-xl', 'opt-6.7b'].flatMap((shape) => {
  const config = { model_type: 'blip-2', ...recorded.shapes[shape] };
  const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: false });
  const halfBytes = [...tensors.values()].reduce(
    (sum, { shape: sizes }) => sum + 2 * sizes.reduce((a, b) => a * b, 1),
    0,
  );
  return ['transformers', 'blip2-run'].flatMap((engine) =>
    Object.entries(SPLITS).flatMap(([split, parts]) =>
      [0.2, 0.45, 0.8].map((fraction) => {
        const whole = parts.reduce((a, b) => a + b, 0);
        const gpus = new Map(parts.map((part, id) => [id, Math.floor((halfBytes * fraction * part) / whole)]));
        const start = process.cpuUsage();
        const result = planDeviceMap(tensors, {
          config,
          engine,
          objective: 'throughput',
          integerSolver,
          budgets: { gpus, ramBytes: null, diskBytes: 0 },
        });
        const { user, system } = process.cpuUsage(start);
        const { solver, cost } = result.plan;
        const row = { shape, engine, split, fraction, status: solver.status, gap: solver.gap };
        const full = { ...row, turnMs: cost.busiestMs, latencyMs: cost.latencyMs, cpuMs: (user + system) / 1000 };
        process.stdout.write(`${JSON.stringify(full)}\n`);
        return full;
      }),
    ),
  );
});

const at = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.floor(share * (numbers.length - 1))] ?? 0;
for (const engine of ['transformers', 'blip2-run']) {
  for (const split of Object.keys(SPLITS)) {
    const own = rows.filter((row) => row.engine === engine && row.split === split);
    const gaps = own.map(({ gap }) => 100 * gap);
    const times = own.map(({ cpuMs }) => cpuMs);
    const proven = own.filter(({ status }) => status === 'optimal').length;
    console.error(
      `${engine.padEnd(13)} ${split.padEnd(14)} ${own.length} plans, ${proven} proven, gap ${at(gaps, 1).toFixed(2)} % at most, ` +
        `CPU ${at(times, 0.5).toFixed(0)} ms median, ${at(times, 1).toFixed(0)} ms most`,
    );
  }
}
