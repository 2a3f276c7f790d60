/**
 * Caches and what waits between the blocks of a streamed vision tower, in one memory: `blip2-run` encodes pictures for later
 * while no caption is open, in the memory of the caches.
 */
import { gpuCacheBytes, streamedBytes, type ModelProfile, type ProfileBlock } from '../model-profile.js';

/** Where many pictures follow each other: those of one call alone are encoded and decoded together. */
export function cachesTakeTurns({ family, engine, workload, blocks }: ModelProfile): boolean {
  const isT5 = blocks.some(({ kind }) => kind === 't5-decoder-layer');
  return family === 'blip2' && engine === 'blip2-run' && workload.encoded !== undefined && !isT5;
}

/** Bytes of that memory on a GPU that runs all of the language model: no placement needs more. */
export function turnsBytes({ blocks }: ModelProfile): number {
  const caches = blocks.reduce((sum, block) => sum + gpuCacheBytes(block), 0);
  return Math.max(caches, ...blocks.map(({ waitingBytes }) => waitingBytes));
}

/**
 * The model without what takes turns on a GPU. Room for layers of the vision tower on their way through stays taken while the language
 * model runs, and counts beside what that holds.
 */
export function withoutTurns(profile: ModelProfile): ModelProfile {
  const layers = profile.blocks.filter(({ kind }) => kind === 'vision-layer');
  const stagingBytes = 2 * Math.max(0, ...layers.map(streamedBytes));
  const without = (block: ProfileBlock): ProfileBlock => ({
    ...block,
    cachesApart: true,
    waitingBytes: 0,
    stagedBesideBytes: block.phase === 'image' ? 0 : stagingBytes,
    forms: new Map([...block.forms].map(([scheme, form]) => [scheme, without(form)] as const)),
  });
  return { ...profile, blocks: profile.blocks.map(without) };
}
