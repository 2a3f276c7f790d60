/**
 * A model as WebGPU runs it: activations and caches are float32, and products of float16 weights are added up from parts in
 * float16, which the provider keeps for the next run of the same shape.
 */
import { found } from '../../../checked-access.js';
import { isFloating } from '../../../tensor/dtype.js';
import { elementCount, type TensorTable } from '../../../tensor/tensor-info.js';
import type { ModelProfile, ProfileBlock } from '../model-profile.js';

export function withWebGpuBlocks(profile: ModelProfile, tensors: TensorTable): ModelProfile {
  return { ...profile, blocks: profile.blocks.map((block) => widened(block, tensors)) };
}

/** A head that reads another block's table has neither, and stays as wide as the table. */
function widened(block: ProfileBlock, tensors: TensorTable): ProfileBlock {
  if (block.weightBytes === 0) return block;
  const runs =
    block.elementBytes === 4 ? block.runs : block.runs.map((run) => ({ ...run, stateBytes: 2 * run.stateBytes }));
  const forms = [...block.forms].map(([scheme, form]) => [scheme, widened(form, tensors)] as const);
  const bufferBytes = block.bufferBytes + lostBytes(block, tensors);
  // At most two of three buffers of a picture are twice as large in float32: in float16 they were half of its bytes.
  const waitingBytes = Math.ceil(1.5 * block.waitingBytes);
  return { ...block, elementBytes: 4, runs, bufferBytes, waitingBytes, forms: new Map(forms) };
}

/** Up to this size Dawn cuts buffers out of a pool on Vulkan, in powers of two. */
const POOLED_BYTES = 4 * 2 ** 20;

/** What a block's weights and its two caches lose to the pool. */
function lostBytes({ lookUp, tensors: names, elementBytes, cacheElements }: ProfileBlock, tensors: TensorTable) {
  if (lookUp !== null) return 0;
  const sizes = names.map((name) => {
    const { shape, dtype } = found(tensors, name);
    const bytes = isFloating(dtype) ? (shape.length > 1 ? elementBytes : 4) : 1;
    return elementCount(shape) * bytes;
  });
  return [...sizes, 2 * cacheElements, 2 * cacheElements].reduce((sum, bytes) => sum + lost(bytes), 0);
}

const lost = (bytes: number): number =>
  bytes === 0 || bytes > POOLED_BYTES ? 0 : 2 ** Math.ceil(Math.log2(bytes)) - bytes;

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
    for (const { phase, runs, flops } of block.runs) {
      const key = `${block.kind} ${phase}`;
      // Pictures and prompts run one after the other, T5's prompts apart.
      const together = phase === 'token' || block.kind.startsWith('t5') ? 1 : workload.batch / runs;
      largest.set(key, Math.max(largest.get(key) ?? 0, flops / together));
    }
  }
  const flops = [...largest.values()].reduce((sum, each) => sum + each, 0);
  return Math.ceil((COPIES * flops) / FLOPS_PER_BYTE) + 4 * unpackedElements;
}
