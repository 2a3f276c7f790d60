/**
 * Our placements against those of accelerate and transformers, all priced by the same list, within the same budgets.
 *
 *   npm run build && python bench/planner/record_peers.py > peers.json && node bench/planner/against-accelerate.mjs peers.json
 *
 * Prints a table per engine: in how many of the rows a peer's map keeps to the budget once float32 exceptions, caches,
 * activations and staging are counted, and how much slower it is predicted to be than ours.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { blip2Tensors, explainMap, parseBlip2Config, planDeviceMap } from '../../dist/src/planner/index.js';

const recorded = JSON.parse(readFileSync(process.argv[2] ?? 'peers.json', 'utf8'));
const shapes = process.argv[3]?.split(',');
const models = new Map(
  Object.entries(recorded.shapes).map(([name, config]) => {
    const full = { model_type: 'blip-2', ...config };
    const parsed = parseBlip2Config(full);
    return [name, { config: full, tensors: blip2Tensors(parsed, { dtype: 'F32', ownHead: false }) }];
  }),
);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

console.log(`accelerate ${recorded.accelerate}, transformers ${recorded.transformers}, ${recorded.rows.length} rows`);
for (const engine of ['transformers', 'blip2-run']) {
  const tally = new Map();
  let unproven = 0;
  let worst = 0;
  const times = [];
  for (const row of recorded.rows) {
    if (shapes !== undefined && !shapes.includes(row.shape)) continue;
    const { config, tensors } = models.get(row.shape);
    const options = {
      config,
      engine,
      budgets: { gpus: new Map(row.gpus.map((bytes, id) => [id, bytes])), ramBytes: null, diskBytes: 0 },
    };
    const start = performance.now();
    const ours = planDeviceMap(tensors, options);
    times.push(performance.now() - start);
    if (ours.status !== 'fits') throw new Error(`infeasible where RAM has no limit: ${JSON.stringify(row)}`);
    if (ours.plan.solver.status !== 'optimal') unproven += 1;
    worst = Math.max(worst, ours.plan.solver.gap);
    for (const peer of ['transformers', 'accelerate']) {
      const key = `${peer} ${row.split}`;
      const count = tally.get(key) ?? { rows: 0, failed: 0, over: 0, fits: 0, worse: 0, ratios: [] };
      tally.set(key, count);
      count.rows += 1;
      if ('error' in row[peer]) {
        count.failed += 1;
        continue;
      }
      const theirs = explainMap(new Map(Object.entries(row[peer])), tensors, options);
      if (theirs.plan === null) {
        count.failed += 1;
        continue;
      }
      if (theirs.overBudget.length > 0) {
        count.over += 1;
        continue;
      }
      count.fits += 1;
      const ratio = theirs.plan.cost.latencyMs / ours.plan.cost.latencyMs;
      count.ratios.push(ratio);
      if (ratio < 1 - 1e-6) {
        count.worse += 1;
        console.log(`OURS SLOWER ${engine} ${peer} ${row.shape} ${row.split} ${row.fraction}: ${ratio}`);
      }
    }
  }
  console.log(
    `\nengine ${engine}: planning takes ${median(times).toFixed(0)} ms (median), ${Math.max(...times).toFixed(0)} ms (most); ${unproven} not proven optimal, largest gap ${(100 * worst).toFixed(2)} %`,
  );
  console.log('peer and GPUs                 rows  error  over budget  within  median x  best x  ours slower');
  for (const [key, { rows, failed, over, fits, worse, ratios }] of tally) {
    const most = ratios.length === 0 ? Number.NaN : Math.max(...ratios);
    console.log(
      `${key.padEnd(28)} ${[rows, failed, over, fits].map((n, i) => String(n).padStart([5, 6, 12, 7][i])).join(' ')} ${median(ratios).toFixed(2).padStart(9)} ${most.toFixed(2).padStart(7)} ${String(worse).padStart(12)}`,
    );
  }
}
