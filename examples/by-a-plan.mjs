/**
 * A loader of one's own, for any model: a plan says which device each tensor is for, and only those bytes are mapped.
 *
 *   npm run build && node examples/by-a-plan.mjs [checkpoint] [memory of the GPU]
 */
import { mapTensors, openCheckpoint } from 'blip2-device-map/loader';
import { deviceOf, parseDeviceMap, parseSize, planDeviceMap } from 'blip2-device-map/planner';
import { loadModelTable } from 'blip2-device-map/models';

const [where = new URL('../models/demo', import.meta.url).pathname, memory = '5M'] = process.argv.slice(2);
const checkpoint = await openCheckpoint(where);
const { tensors, config } = checkpoint;
const budgets = { gpus: new Map([[0, parseSize(memory)]]), ramBytes: null, diskBytes: 0 };
// Of most weights: nothing here converts them, and a plan counts what is loaded.
const [{ dtype }] = [...tensors.values()].toSorted((a, b) => b.end - b.begin - (a.end - a.begin));
const result = planDeviceMap(tensors, {
  config,
  budgets,
  dtype: { F16: 'float16', BF16: 'bfloat16' }[dtype] ?? 'float32',
  // What a class ties and keeps whole, in the names of the file, which nothing here translates.
  models: await loadModelTable(),
  names: 'file',
});
if (result.status !== 'fits') throw new Error(`does not fit: ${result.remedies.map(({ flag }) => flag).join(', or ')}`);
const map = parseDeviceMap(result.plan.device_map);
for (const device of new Set(map.values())) {
  const names = [...tensors.keys()].filter((name) => deviceOf(map, name) === device);
  const weights = await mapTensors(checkpoint, names);
  // Here another runtime would take weights.get(name), with dtype, shape and bytes.
  const bytes = names.reduce((sum, name) => sum + weights.get(name).bytes.byteLength, 0);
  console.log(`${device}: ${names.length} tensors of ${bytes} bytes`);
  weights.close();
}
