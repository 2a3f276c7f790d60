/**
 * Predictions against measurements: transformers 5.17 with accelerate 1.15 on one H200, blip2-opt-2.7b with random
 * float16 weights, one picture, 20 new tokens, greedy; median seconds per caption and peak memory as torch counts it.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { DEFAULT_PRESET, PRESETS } from '../../model/presets.js';
import type { Device, DeviceMap } from '../map/device-map.js';
import { parseDeviceMap } from '../map/parse-device-map.js';
import type { PlanOptions } from '../plan/context.js';
import { explainMap } from '../plan/explain-map.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from './known-devices.js';

const GIB = 2 ** 30;
const preset = PRESETS.get(DEFAULT_PRESET);
const h200 = KNOWN_GPUS.get('H200');
if (preset === undefined || h200 === undefined) throw new Error('preset');
const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: false });
const recorded = z
  .object({ maps: z.record(z.string(), z.unknown()) })
  .parse(
    JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/auto-opt-2.7b.json', import.meta.url), 'utf8')),
  );
const auto = (gib: number): DeviceMap => parseDeviceMap(recorded.maps[String(gib)]);

const options = (gib: number): PlanOptions => ({
  config: preset.config,
  engine: 'transformers',
  machine: { gpus: [h200], host: UNKNOWN_HOST },
  budgets: { gpus: new Map([[0, gib * GIB]]), ramBytes: null, diskBytes: 0 },
});

/** Embeddings and the first `decoderLayers` on the GPU; with all of them, also the Q-Former and the last `visionLayers`. */
function byHand(visionLayers: number, decoderLayers: number): DeviceMap {
  const vision: Device = visionLayers > 0 ? 0 : 'cpu';
  const decoder = 'language_model.model.decoder';
  return new Map<string, Device>([
    ['query_tokens', 0],
    ['vision_model.embeddings', vision],
    ...Array.from({ length: 39 }, (_, i): [string, Device] => [
      `vision_model.encoder.layers.${i}`,
      i >= 39 - visionLayers ? 0 : 'cpu',
    ]),
    ['vision_model.post_layernorm', vision],
    ['qformer', vision],
    ['language_projection', vision],
    [`${decoder}.embed_tokens`, 0],
    [`${decoder}.embed_positions`, 0],
    [`${decoder}.final_layer_norm`, 0],
    ...Array.from({ length: 32 }, (_, i): [string, Device] => [
      `${decoder}.layers.${i}`,
      i < decoderLayers ? 0 : 'cpu',
    ]),
    ['language_model.lm_head', 0],
  ]);
}

describe('the H200 profile', () => {
  it.each([
    ['everything on the GPU', new Map<string, Device>([['', 0]]), 0.28, 7.2],
    ['auto in 6 GiB', auto(6), 4.3, 6.1],
    ['by hand in 6 GiB', byHand(16, 32), 0.58, 6.1],
    ['language model alone', byHand(0, 32), 0.885, 5.0],
    ['auto in 4 GiB', auto(4), 10.2, 4.0],
    ['by hand in 4 GiB', byHand(0, 22), 5.5, 3.6],
    ['auto in 2 GiB', auto(2), 18.8, 2.0],
    ['by hand in 2 GiB', byHand(0, 9), 12.5, 1.7],
  ])('%s: predicts the time within 10 %% and the memory within 5 %%', (_, map, seconds, peakGiB) => {
    const { plan } = explainMap(map, tensors, options(141));
    if (plan === null) throw new Error('a block has no device');
    const [gpu] = plan.devices;
    expect(Math.abs(plan.cost.latencyMs / 1000 / seconds - 1)).toBeLessThan(0.1);
    const used = (gpu?.budgetBytes ?? 0) - (gpu?.freeBytes ?? 0);
    expect(Math.abs(used / GIB / peakGiB - 1)).toBeLessThan(0.05);
  });

  // Measured with transformers executing our maps on one H200, plans that left the libraries' workspaces out of account.
  it.each([
    [6, 6_448_604_160],
    [5, 5_368_779_264],
    [4, 4_314_365_952],
    [3, 3_255_086_080],
    [2, 2_181_966_848],
  ])('in %i GiB the workspace takes what a peak of %i bytes was over the budget', (gib, peakBytes) => {
    const result = planDeviceMap(tensors, options(gib));
    if (result.status === 'infeasible') throw new Error('does not fit');
    const [gpu] = result.plan.devices;
    const modelBytes = gib * GIB - (gpu?.overheadBytes ?? 0) - (gpu?.freeBytes ?? 0);
    expect(modelBytes + (peakBytes - gib * GIB)).toBeLessThanOrEqual(gib * GIB);
  });

  it.each([
    [6, 6],
    [4, 1.8],
    [2, 1.4],
  ])('in %i GiB our map is predicted to be at least %d x as fast as auto', (gib, factor) => {
    const ours = planDeviceMap(tensors, options(gib));
    if (ours.status === 'infeasible') throw new Error('does not fit');
    const theirs = explainMap(auto(gib), tensors, options(141)).plan?.cost.latencyMs ?? 0;
    expect(ours.plan.solver.status).toBe('optimal');
    expect(theirs / ours.plan.cost.latencyMs).toBeGreaterThan(factor);
  });
});
