import type { OpenModel } from '../model/open-model.js';
import { tensorBytes } from '../../../src/tensor/tensor-info.js';
import { cardCount, memoryOf } from '../settings/card-groups.js';
import type { SweepRange } from '../../../src/planner/plan/sweep.js';
import type { Settings } from '../settings/settings.js';

const GIB = 2 ** 30;
const POINTS = 25;

/** From little to more than the whole model takes, and over what is set. */
export function sweepRange(settings: Settings, { tensors }: OpenModel): SweepRange | null {
  const cards = cardCount(settings.groups);
  if (cards === 0) return null;
  let stored = 0;
  for (const tensor of tensors.values())
    stored += tensorBytes(tensor, isFloat(tensor.dtype) ? dtypeOf(settings) : tensor.dtype);
  const most = Math.max(...settings.groups.map(memoryOf));
  const whole = (1.15 * stored) / cards + 1.25 * GIB;
  const toGib = Math.max(4, Math.ceil(Math.max(whole, Math.min(most, 1.5 * whole)) / GIB));
  const fromGib = toGib <= 16 ? 1 : Math.floor(toGib / 16);
  return { fromBytes: fromGib * GIB, toBytes: toGib * GIB, points: Math.min(POINTS, 2 * (toGib - fromGib) + 1) };
}

function isFloat(dtype: string): boolean {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' || dtype === 'F64';
}

function dtypeOf({ dtype }: Settings): 'F32' | 'F16' {
  return dtype === 'float32' ? 'F32' : 'F16';
}
