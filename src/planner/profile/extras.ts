/** What a tensor table cannot tell and a caller may know: tied names that a file leaves out, and unsaved buffers. */
import type { TensorTable } from '../../tensor/tensor-info.js';
import { formatSize } from '../../size.js';
import { longestPrefix } from '../map/longest-prefix.js';
import { sample } from '../map/module-paths.js';
import { loadedBytes } from './loaded-dtype.js';
import type { ModelProfile, ProfileBlock } from './model-profile.js';

export interface ProfileExtras {
  /** Tensor name that is not stored -> the stored tensor it shares. */
  readonly ties?: ReadonlyMap<string, string>;
  /** Tensors that modules create themselves and that stay on the device that runs them. */
  readonly buffers?: TensorTable;
}

export function withExtras(profile: ModelProfile, { ties, buffers }: ProfileExtras): ModelProfile {
  const owner = new Map(profile.blocks.map((block) => [block.name, block.name]));
  const aliases = new Map(profile.aliases);
  const bonds = new Map<string, string>();
  for (const [alias, source] of ties ?? []) {
    const from = longestPrefix(owner, source);
    if (from === undefined) continue;
    const to = longestPrefix(owner, alias);
    if (to === undefined) aliases.set(alias, from);
    else {
      bonds.set(from, bonds.get(from) ?? `tied:${from}`);
      bonds.set(to, bonds.get(from) ?? `tied:${from}`);
    }
  }
  const bufferBytes = new Map<string, number>();
  const homeless = new Map<string, number>();
  for (const [name, info] of buffers ?? []) {
    const block = longestPrefix(owner, name);
    const bytes = loadedBytes(name, info, { dtype: profile.dtype, blip2: null });
    if (block === undefined) homeless.set(name, bytes);
    else bufferBytes.set(block, (bufferBytes.get(block) ?? 0) + bytes);
  }
  return {
    ...profile,
    aliases,
    warnings: [...profile.warnings, ...homelessWarning(homeless)],
    blocks: profile.blocks.map((block): ProfileBlock => {
      const bond = bonds.get(block.name) ?? block.bond;
      const extra = bufferBytes.get(block.name) ?? 0;
      return bond === block.bond && extra === 0 ? block : { ...block, bond, bufferBytes: block.bufferBytes + extra };
    }),
  };
}

/** @param tensors name -> bytes */
function homelessWarning(tensors: ReadonlyMap<string, number>): string[] {
  if (tensors.size === 0) return [];
  const bytes = [...tensors.values()].reduce((a, b) => a + b, 0);
  const [are, them] = tensors.size === 1 ? ['is', 'it'] : ['are', 'them'];
  return [
    `${sample([...tensors.keys()])} ${are} in no module of this model: this plan does not count ${formatSize(bytes)} of ${them}. ` +
      'Leave that much in reserve.',
  ];
}
