/** The settings that a remedy of the planner asks for. */
import { parseSize } from '../../../src/size.js';
import type { Remedy } from '../../../src/planner/plan/choice/infeasible.js';
import { LOAD_DTYPES } from '../../../src/tensor/load-dtype.js';
import { QUANT_SCHEMES } from '../../../src/tensor/quantized.js';
import { memoryOf } from './card-groups.js';
import type { Settings } from './settings.js';

/** null for a remedy that the page has no field for. */
export function withRemedy(settings: Settings, { flag }: Remedy): Settings | null {
  const [name, value = ''] = flag.split(' ');
  switch (name) {
    case '--vram':
      return withLargest(settings, parseSize(value));
    case '--ram':
      return { ...settings, ramBytes: parseSize(value) };
    case '--disk':
      return { ...settings, diskBytes: parseSize(value) };
    case '--dtype': {
      const dtype = LOAD_DTYPES.find((each) => each === value);
      return dtype === undefined ? null : { ...settings, dtype };
    }
    case '--allow-quant':
      return { ...settings, quant: QUANT_SCHEMES.filter((scheme) => value.split(',').includes(scheme)) };
    case '--batch':
      return { ...settings, batch: Number(value) };
    case '--beams':
      return { ...settings, beams: Number(value) };
    default:
      return null;
  }
}

/** The planner grows the first of the largest cards. */
function withLargest(settings: Settings, memoryBytes: number): Settings | null {
  const { groups } = settings;
  const largest = Math.max(...groups.map(memoryOf));
  const at = groups.findIndex((group) => memoryOf(group) === largest);
  const group = groups[at];
  if (group === undefined) return null;
  const grown = { ...group, count: 1, memoryBytes };
  const rest = group.count > 1 ? [{ ...group, count: group.count - 1 }] : [];
  return { ...settings, groups: [...groups.slice(0, at), grown, ...rest, ...groups.slice(at + 1)] };
}
