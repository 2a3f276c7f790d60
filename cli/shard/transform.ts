/** Subcommands that write the same shards with other names, dtypes or fewer tensors. */
import { type Checkpoint, type CheckpointJob, nameShards, type ShardTensor } from '../../src/loader/index.js';
import { stemOf } from '../../src/loader/shard/shard-plan.js';
import { usageError } from '../common/main.js';

/** What becomes of a tensor: nothing, itself, or several tensors of the new checkpoint, by name. */
export type Transform = (
  name: string,
  tensor: ShardTensor,
) => readonly (readonly [name: string, tensor: ShardTensor])[];

/** @throws Blip2Error `USAGE` where two tensors get one name, or none is left. */
export function transformJob(source: Checkpoint, transform: Transform, merge = false): CheckpointJob {
  const tensors = new Map<string, ShardTensor>();
  const byFile = new Map<string, string[]>();
  for (const [oldName, stored] of source.tensors) {
    const file = merge ? '' : stored.file;
    const names = byFile.get(file) ?? [];
    byFile.set(file, names);
    for (const [name, tensor] of transform(oldName, { source: stored, dtype: stored.dtype })) {
      if (tensors.has(name)) throw usageError(`two tensors would be named "${name}"; one of them is "${oldName}"`);
      tensors.set(name, tensor);
      names.push(name);
    }
  }
  if (tensors.size === 0) throw usageError('no tensor would be left');
  const shards = nameShards(
    [...byFile.values()].filter((names) => names.length > 0),
    stemOf(source.files),
  );
  return { source, shards, tensors };
}
