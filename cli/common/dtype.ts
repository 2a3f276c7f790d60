import { LOAD_DTYPES, type LoadDtype } from '../../src/planner/index.js';
import { usageError } from './main.js';

/** What else people write. */
const ALIASES: Readonly<Record<string, LoadDtype>> = {
  fp16: 'float16',
  f16: 'float16',
  half: 'float16',
  bf16: 'bfloat16',
  fp32: 'float32',
  f32: 'float32',
  float: 'float32',
  single: 'float32',
};

/**
 * `float16`, and `fp16`, `F16`, `half` or `torch.float16` for it.
 * @throws Blip2Error `USAGE` naming the flag
 */
export function parseDtypeName(flag: string, text: string): LoadDtype {
  const name = text
    .trim()
    .toLowerCase()
    .replace(/^torch\./, '');
  const dtype = LOAD_DTYPES.find((each) => each === name) ?? (Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined);
  if (dtype !== undefined) return dtype;
  throw usageError(
    `${flag}: "${text}" is not one of ${LOAD_DTYPES.join(', ')}`,
    `Short names work as well: ${Object.keys(ALIASES).join(', ')}.`,
  );
}
