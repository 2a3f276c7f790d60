/**
 * Predictions for 8 pictures at once with 5 beams, 20 tokens, against an H200 (bench/gpu): seconds, with CUDA, which lists the
 * logits that beams are chosen from.
 */
import { expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from './known-devices.js';

const GIB = 2 ** 30;
const h200 = KNOWN_GPUS.get('H200');
const opt = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (h200 === undefined || opt === undefined) throw new Error('no profile or no model');
const tensors = blip2Tensors(parseBlip2Config(opt.config), { dtype: 'F16', ownHead: false });

it.each<readonly [number, QuantScheme | null, number, number]>([
  [141, null, 0.09, 0.09],
  [6, null, 0.494, 0.494],
  [6, 'int8', 0.118, 0.126],
])('opt-2.7b in %i GiB (%s): between %d and %d s, within 20 %%', (gib, scheme, least, most) => {
  const result = planDeviceMap(tensors, {
    config: opt.config,
    countContext: true,
    machine: { gpus: [h200], host: UNKNOWN_HOST },
    budgets: { gpus: new Map([[0, gib * GIB]]), ramBytes: null, diskBytes: 0 },
    workload: { batch: 8, beams: 5, newTokens: 20 },
    allowQuant: scheme === null ? [] : [scheme],
  });
  if (result.status === 'infeasible') throw new Error('does not fit');
  const seconds = result.plan.cost.latencyMs / 1000;
  expect(seconds).toBeGreaterThan(0.8 * most);
  expect(seconds).toBeLessThan(1.2 * least);
});
