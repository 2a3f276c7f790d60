/** Device memory that several rows at once take beside the largest block's activations. */
import type { ModelProfile } from '../model-profile.js';

/**
 * What an H200 took, were all of it due to the activations of the kinds of blocks but the largest, as multiples of these.
 *
 * Of pictures that follow each other, with all sessions in one arena (12 to 128 captions at once, the vision tower streamed): at
 * most 0.2 in float16, 0.3 to 0.7 where the language model is int8 or int4 and its products are ONNX Runtime's, of weights that are
 * floats meanwhile; by kernels of our own 0.3 (24 to 88 captions at once).
 * Where pictures are encoded beside decoding and each session of the language model has an arena of its own: 0.9 (256 at once,
 * all of the model on the card; opt-2.7b, bench/bulk). Of a call by itself: 1.2 to 1.4 (16 to 64 pictures of opt-2.7b in 3 GiB and
 * more, in int8 too, and 32 of flan-t5-xl), 1.4 to 2.0 with 5 beams for 8 pictures (flan-t5-xl, opt-2.7b; bench/gpu).
 */
const COPIES = { oneByOne: 0.5, quantized: 0.75, beside: 1, together: 1.5, searched: 2 } as const;

/**
 * What `blip2-run`'s sessions on CUDA keep for a workload beyond what they keep for one picture and greedy search, which the
 * measured workspace holds.
 * @param single the same model for one picture and greedy search
 * @param mayFit whether all of the model may lie on one card, which then encodes beside decoding
 * @param packedRows see `GpuProfile`
 */
export function keptActivationBytes(
  profile: ModelProfile,
  single: ModelProfile,
  { mayFit, packedRows }: { readonly mayFit: boolean; readonly packedRows: number },
): number {
  const isBulk = profile.workload.encoded !== undefined;
  const mayWiden = profile.blocks.some(({ scheme, forms }) => scheme !== null || forms.size > 0);
  const isQuantized = mayWiden && packedRows === 1;
  const alone = isQuantized ? COPIES.quantized : COPIES.oneByOne;
  const together = profile.workload.beams > 1 ? COPIES.searched : COPIES.together;
  const copies = isBulk ? (mayFit ? COPIES.beside : alone) : together;
  const kept = Math.ceil(copies * Math.max(0, besideLargest(profile) - besideLargest(single)));
  return isBulk && mayFit ? kept + givenBytes(profile) : kept;
}

/** Pixels and rows of the pictures that are encoded together: the next ones' come while these are encoded. */
function givenBytes({ blocks }: ModelProfile): number {
  const bytes = blocks.map(({ kind, hostTraffic: { transfers, elements }, runs, elementBytes }) => {
    if (kind === 'vision-embeddings') return (elements / transfers) * elementBytes;
    return kind === 'projection' ? Math.max(...runs.map(({ outputElements }) => outputElements)) * elementBytes : 0;
  });
  return Math.ceil(bytes.reduce((sum, each) => sum + each, 0));
}

function besideLargest({ blocks }: ModelProfile): number {
  const largest = new Map<string, number>();
  for (const block of blocks) {
    const forms = block.staysFloat === true ? [] : block.forms.values();
    for (const { activationElements, elementBytes } of [block, ...forms]) {
      largest.set(block.kind, Math.max(largest.get(block.kind) ?? 0, activationElements * elementBytes));
    }
  }
  const bytes = [...largest.values()];
  return bytes.reduce((sum, each) => sum + each, 0) - Math.max(0, ...bytes);
}
