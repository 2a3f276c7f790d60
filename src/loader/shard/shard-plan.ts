/** Which tensor goes into which file. Pure: names and sizes in, names of files out. */
import { Blip2Error } from '../../errors.js';

/** A file that is to be written, and what it holds. */
export interface PlannedShard {
  /** File name. */
  readonly file: string;
  readonly tensors: readonly string[];
  /** What the shard is for, where it is for one device only. */
  readonly device?: string;
}

/**
 * The split of huggingface_hub (`split_state_dict_into_shards_factory`, 2.4): tensors in the given order, a shard closes
 * when the next tensor would take it beyond the limit. A tensor above the limit becomes a shard of its own at once,
 * before the one that is being filled.
 * @throws Blip2Error `OPTION_INVALID` for a limit that is none
 */
export function splitBySize(sizes: ReadonlyMap<string, number>, maxShardBytes: number): string[][] {
  if (!(maxShardBytes > 0))
    throw new Blip2Error('OPTION_INVALID', `maxShardBytes is ${maxShardBytes}; a shard takes at least one byte`);
  const shards: string[][] = [];
  let current: string[] = [];
  let currentBytes = 0;
  for (const [name, bytes] of sizes) {
    if (bytes > maxShardBytes) {
      shards.push([name]);
      continue;
    }
    if (currentBytes + bytes > maxShardBytes) {
      shards.push(current);
      current = [];
      currentBytes = 0;
    }
    current.push(name);
    currentBytes += bytes;
  }
  if (current.length > 0) shards.push(current);
  return shards;
}

/** What PEFT and diffusers look for, with a variant or without; all others look for `model`. */
const OTHER_STEM = /^(?:adapter_model|diffusion_pytorch_model)(?=[.-])/;

/** How files are called that are written of a checkpoint with these files, so that what loads it loads them. */
export function stemOf([first]: readonly { readonly name: string }[]): string {
  return OTHER_STEM.exec(first?.name ?? '')?.[0] ?? 'model';
}

/** Names of the groups' files, as huggingface_hub and transformers name them: `model.safetensors` where there is one. */
export function nameShards(groups: readonly (readonly string[])[], stem = 'model'): PlannedShard[] {
  return groups.map((tensors, i) => ({ file: shardName(i, groups.length, stem), tensors }));
}

/**
 * Every device's tensors in files of their own, devices in the order in which their first tensor comes.
 * @param deviceOf a device for every tensor.
 */
export function splitByDevice(
  sizes: ReadonlyMap<string, number>,
  deviceOf: (name: string) => string,
  maxShardBytes = Number.POSITIVE_INFINITY,
  stem = 'model',
): PlannedShard[] {
  const byDevice = new Map<string, Map<string, number>>();
  for (const [name, bytes] of sizes) {
    const device = deviceOf(name);
    byDevice.set(device, (byDevice.get(device) ?? new Map<string, number>()).set(name, bytes));
  }
  const groups = [...byDevice].flatMap(([device, own]) =>
    splitBySize(own, maxShardBytes).map((tensors) => ({ device, tensors })),
  );
  return groups.map(({ device, tensors }, i) => ({ file: shardName(i, groups.length, stem), tensors, device }));
}

function shardName(i: number, count: number, stem: string): string {
  const number = (n: number) => String(n).padStart(5, '0');
  return count === 1 ? `${stem}.safetensors` : `${stem}-${number(i + 1)}-of-${number(count)}.safetensors`;
}

/** `model.safetensors.index.json`, or by the stem of names that `nameShards` gives; null for one shard, which needs none. */
export function indexName(shards: readonly PlannedShard[]): string | null {
  if (shards.length === 1) return null;
  const stem = /^(.*)-\d{5,}-of-\d{5,}\.safetensors$/.exec(shards[0]?.file ?? '')?.[1] ?? 'model';
  return `${stem}.safetensors.index.json`;
}

/** The index as huggingface_hub writes it: `json.dump(index, f, indent=2)`, which leaves ASCII only. */
export function indexJson(shards: readonly PlannedShard[], totalBytes: number): string {
  const lines = shards.flatMap(({ file, tensors }) =>
    tensors.map((name) => `    ${asciiJson(name)}: ${asciiJson(file)}`),
  );
  const weightMap = lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n  }`;
  return `{\n  "metadata": {\n    "total_size": ${totalBytes}\n  },\n  "weight_map": ${weightMap}\n}`;
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
