/**
 * Our device maps for the rows that record_peers.py recorded, as JSON lines for check_maps.py.
 *
 *   node bench/planner/emit-maps.mjs peers.json > maps.jsonl
 */
import { readFileSync } from 'node:fs';
import { blip2Tensors, parseBlip2Config, planDeviceMap } from '../../dist/src/planner/index.js';

const recorded = JSON.parse(readFileSync(process.argv[2] ?? 'peers.json', 'utf8'));
for (const row of recorded.rows) {
  const config = { model_type: 'blip-2', ...recorded.shapes[row.shape] };
  const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead: false });
  const gpus = new Map(row.gpus.map((bytes, id) => [id, bytes]));
  const budgets = { gpus, ramBytes: null, diskBytes: 0 };
  // A tenth of the usual effort: what is checked is the map's form.
  const result = planDeviceMap(tensors, { config, engine: 'transformers', budgets, solver: { effort: 150_000 } });
  if (result.status !== 'fits') throw new Error(`infeasible: ${JSON.stringify(row)}`);
  console.log(JSON.stringify({ shape: row.shape, config: recorded.shapes[row.shape], map: result.plan.device_map }));
}
