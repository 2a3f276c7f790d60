/** Device memory that several rows at once take beside the largest block's activations. */
import type { ModelProfile } from './model-profile.js';

/**
 * Every session has an arena of its own, which keeps what its largest run took. What an H200 took over two plans that left this
 * out is 1.5 and 2.0 times the activations of all kinds of blocks but the largest, were it all due to them: InstructBLIP with
 * vicuna-7b, 8 pictures with 5 beams, float16 and int8 (bench/gpu).
 */
const COPIES = 2;

/**
 * What `blip2-run`'s sessions on CUDA keep for a workload beyond what they keep for one picture and greedy search, which the
 * measured workspace holds.
 * @param single the same model for one picture and greedy search
 */
export function keptActivationBytes(profile: ModelProfile, single: ModelProfile): number {
  return COPIES * Math.max(0, besideLargest(profile) - besideLargest(single));
}

function besideLargest({ blocks }: ModelProfile): number {
  const largest = new Map<string, number>();
  for (const block of blocks) {
    for (const { activationElements, elementBytes } of [block, ...block.forms.values()]) {
      largest.set(block.kind, Math.max(largest.get(block.kind) ?? 0, activationElements * elementBytes));
    }
  }
  const bytes = [...largest.values()];
  return bytes.reduce((sum, each) => sum + each, 0) - Math.max(0, ...bytes);
}
