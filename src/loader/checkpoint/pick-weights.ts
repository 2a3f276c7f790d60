/**
 * Which files of a folder are the checkpoint. The order is that of transformers' `from_pretrained`: a single
 * `model.safetensors` wins over an index; anything else counts only where it is alone. What was picked over what is
 * part of the answer.
 */
import { SafetensorsError } from '../format/safetensors-error.js';
import type { CheckpointWarning } from './checkpoint.js';

export interface PickedWeights {
  /** File name of the index, or of the only shard. */
  readonly name: string;
  readonly isIndex: boolean;
  readonly hasConfig: boolean;
  readonly warnings: readonly CheckpointWarning[];
}

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/**
 * Picks among the file names of a folder.
 * @throws SafetensorsError `CHECKPOINT_NOT_FOUND`, `AMBIGUOUS_CHECKPOINT`.
 */
export function pickWeights(names: readonly string[], where: string): PickedWeights {
  const hasConfig = names.includes('config.json');
  const indexes = names.filter((name) => isIndex(name));
  const singles = names.filter((name) => name.endsWith('.safetensors'));
  if (singles.includes(SINGLE)) return { name: SINGLE, isIndex: false, hasConfig, warnings: overIndex(indexes) };
  const index = pickOnly(indexes, INDEX, where);
  if (index !== undefined) return { name: index, isIndex: true, hasConfig, warnings: [] };
  const single = pickOnly(singles, SINGLE, where);
  if (single !== undefined) return { name: single, isIndex: false, hasConfig, warnings: [] };
  throw new SafetensorsError('CHECKPOINT_NOT_FOUND', where, `has neither ${SINGLE} nor ${INDEX}`, {
    hint: names.some((name) => /\.(bin|pt|pth|ckpt)$/.test(name))
      ? 'It has PyTorch files: load and save them again with transformers, which writes safetensors.'
      : 'Give the folder that holds config.json and the .safetensors files.',
  });
}

/** `model.safetensors.index.json`, also with a variant: `model.safetensors.index.fp16.json`. */
export function isIndex(name: string): boolean {
  return /\.safetensors\.index(\.[^.]+)?\.json$/.test(name);
}

function pickOnly(names: readonly string[], preferred: string, where: string): string | undefined {
  if (names.includes(preferred)) return preferred;
  if (names.length <= 1) return names[0];
  throw new SafetensorsError(
    'AMBIGUOUS_CHECKPOINT',
    where,
    `has ${names.length} candidates: ${names.toSorted().slice(0, 8).join(', ')}`,
    {
      hint: 'Name the file that you mean instead of its folder.',
      details: { candidates: names },
    },
  );
}

function overIndex(indexes: readonly string[]): CheckpointWarning[] {
  return indexes
    .filter((name) => name === INDEX)
    .map((name) => ({
      code: 'INDEX_IGNORED',
      message: `The folder has ${SINGLE} and ${name}. ${SINGLE} is used, as transformers does; the index is ignored.`,
    }));
}
