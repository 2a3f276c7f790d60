/**
 * A model as WebGPU runs it: activations and caches are float32, and products of float16 weights are added up from parts in
 * float16, which the provider keeps for the next run of the same shape.
 */
import type { ModelProfile, ProfileBlock } from './model-profile.js';

export function withWebGpuBlocks(profile: ModelProfile): ModelProfile {
  return { ...profile, blocks: profile.blocks.map(widened) };
}

/** A head that reads another block's table has neither, and stays as wide as the table. */
function widened(block: ProfileBlock): ProfileBlock {
  if (block.weightBytes === 0 || block.elementBytes === 4) return block;
  const runs = block.runs.map((run) => ({ ...run, stateBytes: 2 * run.stateBytes }));
  const forms = [...block.forms].map(([scheme, form]) => [scheme, widened(form)] as const);
  return { ...block, elementBytes: 4, runs, forms: new Map(forms) };
}

/** Each product is cut into chunks of 64 inputs: a row has a float16 for each chunk and output, 1/64 of a byte per operation. */
const FLOPS_PER_BYTE = 64;
/** Buffers of one size are there nearly twice: what one kernel has left is taken again only after some more. Measured. */
const COPIES = 1.75;

/**
 * Device memory that the provider keeps for products: their parts, of each kind of block and phase those of the largest, and
 * a quantised weight as floats.
 */
export function keptProductBytes({ blocks, workload }: ModelProfile): number {
  const largest = new Map<string, number>();
  let unpackedElements = 0;
  for (const block of blocks) {
    for (const { scheme, activationElements } of [block, ...block.forms.values()]) {
      if (scheme !== null) unpackedElements = Math.max(unpackedElements, activationElements);
    }
    if (block.elementBytes === 4) continue;
    for (const { phase, flops } of block.runs) {
      const key = `${block.kind} ${phase}`;
      // Pictures and prompts run one after the other, T5's prompts apart.
      const together = phase === 'token' || block.kind.startsWith('t5') ? 1 : workload.batch;
      largest.set(key, Math.max(largest.get(key) ?? 0, flops / together));
    }
  }
  const flops = [...largest.values()].reduce((sum, each) => sum + each, 0);
  return Math.ceil((COPIES * flops) / FLOPS_PER_BYTE) + 4 * unpackedElements;
}
