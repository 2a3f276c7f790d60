/**
 * Our maps for tiny checkpoints, one GPU and several budgets each, as JSON lines for run_maps.py.
 *
 *   node bench/planner/tiny-maps.mjs CHECKPOINT [CHECKPOINT ...] > maps.jsonl
 */
import { openCheckpoint } from '../../dist/src/loader/index.js';
import { KNOWN_GPUS, planDeviceMap, UNKNOWN_HOST } from '../../dist/src/planner/index.js';

const MIB = 2 ** 20;
for (const folder of process.argv.slice(2)) {
  const { config, tensors } = await openCheckpoint(folder);
  const seen = new Set();
  const plan = (bytes) =>
    planDeviceMap(tensors, {
      config,
      engine: 'transformers',
      dtype: 'float32',
      workload: { beams: 3, newTokens: 8 },
      // Any CPU is faster than streaming a model as small, and a map without a GPU has no hooks.
      machine: {
        gpus: [KNOWN_GPUS.get('H200')],
        host: { ...UNKNOWN_HOST, memoryBytesPerSecond: 1, flopsPerSecond: 1 },
      },
      budgets: { gpus: new Map([[0, bytes]]), ramBytes: null, diskBytes: 0 },
    });
  const whole = plan(4096 * MIB);
  if (whole.status !== 'fits') throw new Error(folder);
  const [gpu] = whole.plan.devices;
  const modelBytes = gpu.weightBytes + gpu.cacheBytes + gpu.activationBytes;
  for (let part = 0.2; part < 1; part += 0.2) {
    const result = plan(gpu.overheadBytes + Math.round(part * modelBytes));
    if (result.status !== 'fits') continue;
    const map = result.plan.device_map;
    const key = JSON.stringify(map);
    if (seen.has(key) || !Object.values(map).includes(0) || Object.values(map).every((device) => device === 0))
      continue;
    seen.add(key);
    console.log(JSON.stringify({ folder, map }));
  }
}
