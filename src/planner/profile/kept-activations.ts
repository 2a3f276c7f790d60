/** Device memory that several rows at once take beside the largest block's activations. */
import type { ModelProfile } from './model-profile.js';

/**
 * Every session has an arena of its own, which keeps what its largest run took, those of the prompt and of tokens apart. What an
 * H200 took, were all of it due to the activations of the kinds of blocks but the largest, was 2.3 and 2.8 times these where
 * layers were streamed (InstructBLIP with vicuna-7b in 10 GiB, opt-2.7b in 6 GiB, both for 8 pictures with 5 beams) and at
 * most 1.9 times where none were (the same in int8; bench/gpu).
 */
const COPIES = 3;

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
