/**
 * The placement problems of rows that record_peers.py recorded, as numbers, with our answers: JSON lines for
 * exact_optimum.py and count_program.py.
 *
 *   npm run build && node bench/planner/export-problems.mjs peers.json [shape,...] [split,...] > problems.jsonl
 *
 * One line per row and engine: every case the engine allows (capacities; items with costs, bytes and crossings per place, and
 * the weights that a place puts on a GPU), and what our plan costs, holds on GPUs and uses of their budgets. Rows from budgets of a
 * fifth of the weights up, in which not everything fits.
 */
import { readFileSync } from 'node:fs';
import { blip2Tensors, parseBlip2Config, planDeviceMap } from '../../dist/src/planner/index.js';
import { casesOf } from '../../dist/src/planner/plan/choice/cases.js';
import { preparePlan } from '../../dist/src/planner/plan/request/prepare-plan.js';
import { weightsOn } from '../../dist/src/planner/price/memory.js';

const recorded = JSON.parse(readFileSync(process.argv[2] ?? 'peers.json', 'utf8'));
const shapes = process.argv[3] ? process.argv[3].split(',') : Object.keys(recorded.shapes);
const splits = process.argv[4]?.split(',') ?? ['one', 'equal', 'unequal'];
/** JSON has no infinity; null stands for a place that is closed. */
const finite = (value) => (value === Infinity ? null : value);

for (const row of recorded.rows) {
  if (!shapes.includes(row.shape) || !splits.includes(row.split) || row.fraction < 0.2) continue;
  const config = { model_type: 'blip-2', ...recorded.shapes[row.shape] };
  const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: false });
  for (const engine of ['transformers', 'blip2-run']) {
    const gpus = new Map(row.gpus.map((bytes, id) => [id, bytes]));
    const options = { config, engine, budgets: { gpus, ramBytes: null, diskBytes: 0 } };
    const { plan } = planDeviceMap(tensors, options);
    if (plan.placements.every(({ execution }) => execution === 'resident')) continue;
    const context = preparePlan(tensors, options);
    const cases = casesOf(context).map(({ placing, problem }) => {
      const { capacities, homes, items } = problem;
      return {
        capacities,
        homes,
        items: items.map((item, i) => ({
          cost: item.cost.map(finite),
          use: item.use,
          peak: item.peak,
          sameAs: item.sameAs,
          inputs: item.inputs,
          gpuBytes: placing.places.map((place) => {
            const block = context.profile.blocks[i];
            const onGpu = place.execution === 'resident' && typeof weightsOn(block, place) === 'number';
            return onGpu ? block.weightBytes : 0;
          }),
        })),
      };
    });
    const ofGpus = plan.devices.filter(({ id }) => typeof id === 'number');
    const sum = (field) => ofGpus.reduce((total, device) => total + device[field], 0);
    const { shape, split, fraction } = row;
    const ours = {
      costMs: plan.cost.latencyMs,
      boundMs: plan.solver.boundMs,
      gpuBytes: sum('weightBytes'),
      inUse: 1 - sum('freeBytes') / sum('budgetBytes'),
    };
    process.stdout.write(`${JSON.stringify({ shape, split, fraction, engine, ours, cases })}\n`);
  }
}
