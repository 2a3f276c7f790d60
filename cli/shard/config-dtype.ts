import * as z from 'zod';
import type { LoadDtype } from '../../src/planner/index.js';
import { type CheckpointJob, type FloatDtype, isFloatDtype, type ShardTensor } from '../../src/loader/index.js';
import { loadedDtype, type DtypeRules } from '../../src/planner/profile/loaded-dtype.js';

const NAMES: Readonly<Record<FloatDtype, LoadDtype>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The job with what config.json is to say where floats become `target`; says on stderr what transformers would change. */
export function statingDtype(job: CheckpointJob, target: FloatDtype, quiet = false): CheckpointJob {
  const dtype = configDtype(target, job.tensors);
  const note = reloadNote(dtype, job.tensors, job.source.config);
  if (note !== null && !quiet) process.stderr.write(note);
  return { ...job, configDtype: dtype };
}

/** Of all floats, where they have one dtype. */
function configDtype(target: FloatDtype, tensors: ReadonlyMap<string, ShardTensor>): LoadDtype {
  const [only = target, other] = new Set([...floats(tensors)].map(([, dtype]) => dtype));
  return NAMES[other === undefined ? only : target];
}

/** null where transformers loads every tensor as it is stored, or the model is none whose rules are known. */
function reloadNote(dtype: LoadDtype, tensors: ReadonlyMap<string, ShardTensor>, config: unknown): string | null {
  const blip2 = familyOf(config);
  if (blip2 === null) return null;
  const changed = [...floats(tensors)].filter(
    ([name, stored]) => loadedDtype(name, stored, { dtype, blip2 }) !== stored,
  );
  const [first] = changed;
  if (first === undefined) return null;
  const more = changed.length > 1 ? ` and ${changed.length - 1} more tensors are` : ' is';
  return `note: ${first[0]}${more} not stored as transformers will load them: all in ${dtype}, as config.json says, but for what it keeps in float32; from_pretrained(..., dtype="float32") loads all in float32\n`;
}

/** The family whose float32 exceptions transformers makes; null for any other model. */
export function familyOf(config: unknown): DtypeRules['blip2'] {
  const parsed = z.object({ model_type: z.enum(['blip-2', 'instructblip']) }).safeParse(config);
  return parsed.success ? parsed.data.model_type : null;
}

function* floats(tensors: ReadonlyMap<string, ShardTensor>): Generator<readonly [string, FloatDtype]> {
  for (const [name, { dtype, quantized }] of tensors) {
    if (quantized === undefined && isFloatDtype(dtype)) yield [name, dtype];
  }
}
