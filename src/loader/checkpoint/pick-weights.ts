/**
 * Which files of a folder are the checkpoint. The order is that of transformers' `from_pretrained`: a single
 * `model.safetensors` wins over an index; anything else counts only where it is alone or has but variants of its own beside it, and one shard of several never does.
 * What was picked over what is part of the answer.
 */
import { SafetensorsError } from '../format/safetensors-error.js';
import type { CheckpointWarning } from './checkpoint.js';
import { noWeights } from './no-weights.js';
import { incompleteFamilies, shardNumber } from './shard-numbers.js';

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
 * Picks among the file names of a folder; those below other folders do not count, but for what to say where there is nothing.
 * @throws SafetensorsError `CHECKPOINT_NOT_FOUND`, `AMBIGUOUS_CHECKPOINT`.
 */
export function pickWeights(all: readonly string[], where: string): PickedWeights {
  const names = all.filter((name) => !name.includes('/'));
  const hasConfig = names.includes('config.json');
  const indexes = names.filter((name) => isIndex(name));
  const singles = names.filter((name) => name.endsWith('.safetensors'));
  if (singles.includes(SINGLE)) return { name: SINGLE, isIndex: false, hasConfig, warnings: overIndex(indexes) };
  const index = pickOnly(indexes, INDEX, where);
  if (index !== undefined) return { name: index, isIndex: true, hasConfig, warnings: [] };
  const numbered = singles.filter((name) => isOneOfSeveral(name));
  if (numbered.length > 0) throw withoutIndex(numbered, where);
  const single = pickOnly(singles, SINGLE, where);
  if (single !== undefined) return { name: single, isIndex: false, hasConfig, warnings: [] };
  throw noWeights(all, where);
}

/** `model.safetensors.index.json`, also with a variant: `model.safetensors.index.fp16.json`. */
export function isIndex(name: string): boolean {
  return /\.safetensors\.index(\.[^.]+)?\.json$/.test(name);
}

/** A file that was named itself: it may be an index, and one shard of several, for whoever looks at that. */
export function pickFile(name: string, hasConfig: boolean): PickedWeights {
  const { number, count } = shardNumber(name) ?? { number: 1, count: 1 };
  const message = `${name} is shard ${number} of ${count}: the tensors of the others are not there.`;
  const warnings: CheckpointWarning[] = count > 1 ? [{ code: 'SHARD_NUMBERING_GAP', message }] : [];
  return { name, isIndex: isIndex(name), hasConfig, warnings };
}

function isOneOfSeveral(name: string): boolean {
  return (shardNumber(name)?.count ?? 1) > 1;
}

/** `details.shards` has them where none is missing. */
function withoutIndex(shards: readonly string[], where: string): SafetensorsError {
  const sorted = shards.toSorted();
  const families = new Set(shards.map((name) => shardNumber(name)?.family));
  const isWhole = families.size === 1 && incompleteFamilies(shards).length === 0;
  const what = `${sorted.slice(0, 2).join(', ')}${sorted.length > 2 ? ` and ${sorted.length - 2} more` : ''}`;
  return new SafetensorsError('CHECKPOINT_NOT_FOUND', where, `has ${what}, and no index, by which shards are found`, {
    hint: isWhole
      ? 'Download the *.safetensors.index.json, or let `blip2-shard repair` write one: the shards are all there.'
      : 'Download the *.safetensors.index.json and the other shards; to look at one shard, name its file.',
    details: isWhole ? { shards: sorted } : {},
  });
}

function pickOnly(all: readonly string[], preferred: string, where: string): string | undefined {
  if (all.includes(preferred)) return preferred;
  const names = all.filter((name) => withoutVariant(name) === name || !all.includes(withoutVariant(name)));
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

/** What is loaded where no variant is asked for: of `x.fp16.safetensors` and `x.safetensors.index.fp16.json`, as diffusers names them. */
function withoutVariant(name: string): string {
  return name.replace(/^(.+)\.[^.]+(\.safetensors)$/, '$1$2').replace(/(\.index)\.[^.]+(\.json)$/, '$1$2');
}

function overIndex(indexes: readonly string[]): CheckpointWarning[] {
  return indexes
    .filter((name) => name === INDEX)
    .map((name) => ({
      code: 'INDEX_IGNORED',
      message: `The folder has ${SINGLE} and ${name}. ${SINGLE} is used, as transformers does; the index is ignored.`,
    }));
}
