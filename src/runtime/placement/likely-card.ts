import type { EngineOptions } from '../device/device-options.js';
import type { PlacementOptions } from './placement.js';

/** The CUDA card that a model will use first, if it uses one, before a plan says so; undefined where that is not likely. */
export function likelyCard({
  provider = 'auto',
  emulateGpu = false,
  plan,
  budgets,
}: EngineOptions & PlacementOptions): number | undefined {
  if (emulateGpu || provider === 'cpu' || provider === 'webgpu') return undefined;
  if (plan === undefined && budgets === undefined) return provider === 'cuda' ? 0 : undefined;
  const given = plan === undefined ? [] : 'device_map' in plan ? Object.values(plan.device_map) : [...plan.values()];
  const cards = budgets === undefined ? given.filter((device) => typeof device === 'number') : [...budgets.gpus.keys()];
  const [first] = cards.toSorted((a, b) => a - b);
  return first;
}
