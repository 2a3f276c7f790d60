/** A model is a few kinds of blocks many times over. */
import type { ProfileBlock } from '../../profile/model-profile.js';

/** `compute`, which must not look at names, evaluated once for all blocks that are alike in every number. */
export function oncePerKind<T>(compute: (block: ProfileBlock) => T): (block: ProfileBlock) => T {
  const known = new Map<string, T>();
  return (block) => {
    const key = numbersOf(block);
    const found = known.get(key);
    if (found !== undefined) return found;
    const value = compute(block);
    known.set(key, value);
    return value;
  };
}

const keys = new WeakMap<ProfileBlock, string>();

/** Equal for blocks that differ in nothing but their names and connections. */
export function numbersOf(block: ProfileBlock): string {
  const found = keys.get(block);
  if (found !== undefined) return found;
  const { name: _name, tensors: _tensors, kept, bond: _bond, extraInputs: _inputs, forms, ...numbers } = block;
  const key = JSON.stringify([
    numbers,
    kept.map(({ bytes }) => bytes),
    [...forms].map(([scheme, form]) => [scheme, numbersOf(form)]),
  ]);
  keys.set(block, key);
  return key;
}
