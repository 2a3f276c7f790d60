import { FROM_GGUF, FROM_OTHERS, FROM_PYTORCH } from '../format/foreign-format.js';
import { SafetensorsError } from '../format/safetensors-error.js';

/** Other files of weights, and how to come to safetensors from there. The first that is found counts. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [
    /(^|\/)zero_to_fp32\.py$/,
    'DeepSpeed has saved it: `python zero_to_fp32.py . OUT --safe_serialization` in that folder writes its weights as safetensors.',
  ],
  [
    /\.distcp$/,
    'Training has saved its shards (.distcp): `accelerate merge-weights` with the folder that holds them writes safetensors.',
  ],
  [/\.(bin|pt|pth|ckpt)$/, `It has PyTorch files: ${FROM_PYTORCH}`],
  [/\.gguf$/, `It has GGUF files, which llama.cpp reads: ${FROM_GGUF}`],
  [/\.(onnx|h5|msgpack|npz|tflite)$/, `It has weights for other programs alone: ${FROM_OTHERS}`],
];

/**
 * A folder in which no weights are: what else is there says where they may be.
 * @param all names of its files, and those of its folders with them: `folder/file`
 */
export function noWeights(all: readonly string[], where: string): SafetensorsError {
  return new SafetensorsError(
    'CHECKPOINT_NOT_FOUND',
    where,
    'has neither model.safetensors nor model.safetensors.index.json',
    { hint: cachedHint(where) ?? hintOf(all) },
  );
}

/** The hub's own folder of a model has none itself, but in a folder of its snapshots. */
function cachedHint(where: string): string | null {
  const [, owner, name] = /(?:^|[\\/])models--([^\\/]+?)--([^\\/]+)[\\/]*$/.exec(where) ?? [];
  if (name === undefined) return null;
  return `It is what the hub's cache has of ${owner}/${name}: give that name, or one of the folders in its snapshots.`;
}

function hintOf(all: readonly string[]): string {
  const folders = [...new Set(all.flatMap((name) => /^([^/]+)\/[^/]+\.safetensors$/.exec(name)?.[1] ?? []))].toSorted();
  if (folders.length > 0) {
    const named = folders.slice(0, 6).join(', ') + (folders.length > 6 ? ` and ${folders.length - 6} more` : '');
    const what = all.includes('model_index.json')
      ? 'It is a pipeline of diffusers, whose models are'
      : 'There are weights';
    return `${what} in its folders ${named}: give one of those, or on the hub the address of its file.`;
  }
  const other = OTHERS.find(([pattern]) => all.some((name) => pattern.test(name)));
  if (other !== undefined) return other[1];
  return all.includes('config.json')
    ? 'It has config.json and no weights: download the .safetensors files, and their index, into it.'
    : 'Give the folder that holds config.json and the .safetensors files.';
}
