/**
 * How much of the GPUs our plans use: their weights on GPUs against the most that fits there in any placement, in the rows
 * that record_peers.py recorded, from budgets of a fifth of the weights up, in which not everything fits.
 *
 *   npm run build && node bench/planner/gpu-use.mjs peers.json [shape,...]
 *
 * "The most" is the same solver on the same memory, asked for bytes instead of time; where it stops early its bound stands
 * in. The fastest placement need not hold the most bytes: staging that lets blocks stream is memory without weights, so
 * the share of the budget that is in use at all stands beside it.
 */
import { readFileSync } from 'node:fs';
import { blip2Tensors, parseBlip2Config, planDeviceMap } from '../../dist/src/planner/index.js';
import { assemble } from '../../dist/src/planner/plan/assemble.js';
import { casesOf } from '../../dist/src/planner/plan/choose-places.js';
import { preparePlan } from '../../dist/src/planner/plan/context.js';
import { solveExact } from '../../dist/src/planner/solve/exact.js';

const recorded = JSON.parse(readFileSync(process.argv[2] ?? 'peers.json', 'utf8'));
const shapes = process.argv[3]?.split(',') ?? Object.keys(recorded.shapes);
const rows = recorded.rows.filter(({ shape, fraction }) => shapes.includes(shape) && fraction >= 0.2);
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? Number.NaN;

/** The most weight bytes that GPUs can hold, or a bound on them from above. */
function mostBytes(context) {
  let most = 0;
  for (const placing of casesOf(context)) {
    const problem = assemble(context.profile, placing, context.prices);
    const items = problem.items.map((item, i) => ({
      ...item,
      inputs: [],
      cost: item.cost.map((ms, p) => {
        const held = placing.places[p].execution === 'resident' && context.profile.blocks[i].lookUp !== 'rows';
        return ms === Infinity ? ms : held ? 0 : context.profile.blocks[i].weightBytes;
      }),
    }));
    const result = solveExact({ ...problem, items }, { effort: 100_000 });
    const total = context.profile.weightBytes;
    most = Math.max(most, result.status === 'infeasible' ? (result.proven ? 0 : total) : total - result.bound);
  }
  return most;
}

console.log('engine        GPUs     rows  weights of the most: least, median  budget in use: least, median');
for (const engine of ['transformers', 'blip2-run']) {
  for (const split of ['one', 'equal', 'unequal']) {
    const ofMost = [];
    const inUse = [];
    for (const row of rows.filter((each) => each.split === split)) {
      const config = { model_type: 'blip-2', image_token_index: 50265, ...recorded.shapes[row.shape] };
      const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: false });
      const gpus = new Map(row.gpus.map((bytes, id) => [id, bytes]));
      const options = { config, engine, budgets: { gpus, ramBytes: null, diskBytes: 0 } };
      const { plan } = planDeviceMap(tensors, options);
      if (plan.placements.every(({ execution }) => execution === 'resident')) continue;
      const held = plan.devices.filter(({ id }) => typeof id === 'number');
      const sum = (field) => held.reduce((total, device) => total + device[field], 0);
      const most = mostBytes(preparePlan(tensors, options));
      if (most === 0) continue;
      ofMost.push(sum('weightBytes') / most);
      inUse.push(1 - sum('freeBytes') / sum('budgetBytes'));
    }
    console.log(
      `${engine.padEnd(13)} ${split.padEnd(8)} ${String(ofMost.length).padStart(4)}  ${[0, 0.5]
        .map((q) => percent(quantile(ofMost, q)))
        .join(', ')
        .padEnd(35)} ${[0, 0.5].map((q) => percent(quantile(inUse, q))).join(', ')}`,
    );
  }
}
