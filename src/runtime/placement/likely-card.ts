import type { EngineOptions } from '../device/device-options.js';
import type { PlacementOptions } from './placement.js';

/** A context of the driver takes about as much: no plan uses a card with less. */
const CONTEXT_BYTES = 2 ** 29;

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
  const named = given.filter((device) => typeof device === 'number');
  const stated = [...(budgets?.gpus ?? [])].filter(([, bytes]) => bytes >= CONTEXT_BYTES).map(([gpu]) => gpu);
  const [first] = [...named, ...stated].toSorted((a, b) => a - b);
  return first;
}
