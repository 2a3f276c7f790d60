import type { SweepRange } from '../../../src/planner/plan/comparison/sweep.js';
import { tensorBytes } from '../../../src/tensor/tensor-info.js';
import type { OpenModel } from '../model/open-model.js';
import { cardCount } from '../settings/card-groups.js';
import type { Settings } from '../settings/settings.js';

/** About; a sixteenth of the range is the first. */
const POINTS = 21;
const CONTEXT_BYTES = 0.75 * 2 ** 30;

/** From little to more than the whole model takes of each card, in round steps. */
export function sweepRange(settings: Settings, { tensors }: OpenModel): SweepRange | null {
  const cards = cardCount(settings.groups);
  if (cards === 0) return null;
  let stored = 0;
  for (const tensor of tensors.values()) stored += tensorBytes(tensor, loadedDtype(tensor.dtype, settings));
  const context = settings.countContext ? CONTEXT_BYTES : 0;
  const whole = context + (1.3 * stored) / cards + settings.reserveBytes;
  const step = roundStep(whole / (POINTS - 1));
  const fromBytes = Math.max(step, Math.floor((context + settings.reserveBytes) / step) * step);
  const toBytes = Math.max(Math.ceil(whole / step) * step, fromBytes + 4 * step);
  return { fromBytes, toBytes, points: (toBytes - fromBytes) / step + 1 };
}

/** A power of two of bytes: half a gigabyte, a quarter of one. */
function roundStep(bytes: number): number {
  return 2 ** Math.max(10, Math.ceil(Math.log2(bytes) - 0.5));
}

function loadedDtype(stored: string, { dtype }: Settings) {
  const isFloat = stored === 'F32' || stored === 'F16' || stored === 'BF16' || stored === 'F64';
  return isFloat ? (dtype === 'float32' ? 'F32' : 'F16') : undefined;
}
