/**
 * What `blip2-run` streams in one piece. Layers pass through one by one, each while the one before it runs; between and
 * behind them lie blocks that are one session and travel together: the vision model's norm with the Q-Former and the
 * projection, the decoder's norm with the head.
 */
import type { BlockPhase } from '../../../model/blocks.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import { streamedBytes, type ProfileBlock } from '../model-profile.js';

/** What is streamed by itself; for transformers, small modules of these stay on the GPU. */
export const LAYERS: ReadonlySet<string> = new Set([
  'vision-layer',
  'opt-layer',
  'llama-layer',
  't5-encoder-layer',
  't5-decoder-layer',
]);

/**
 * The blocks with the bytes of what each is streamed with.
 * @param isApart whether pictures are encoded some at a time: then the Q-Former's layers pass by themselves as well
 */
export function withStreamedGroups(blocks: readonly ProfileBlock[], isApart: boolean): ProfileBlock[] {
  const groups: ProfileBlock[][] = [];
  let open: ProfileBlock[] | null = null;
  let phase: BlockPhase | null = null;
  for (const block of blocks) {
    const isAlone = LAYERS.has(block.kind) || (isApart && block.kind === 'qformer-layer');
    if (isAlone || block.lookUp !== null) open = null;
    else if (open === null || phase !== block.phase) groups.push((open = [block]));
    else open.push(block);
    phase = block.phase;
  }
  const groupOf = new Map(groups.flatMap((group) => group.map((block) => [block.name, group] as const)));
  return blocks.map((block) => {
    const group = groupOf.get(block.name);
    if (group === undefined) return block;
    const streamedWithBytes = group.reduce(
      (sum, each) => sum + (each.name === block.name ? 0 : streamedBytes(each)),
      0,
    );
    const forms = [...block.forms].map(([scheme, form]): [QuantScheme, ProfileBlock] => [
      scheme,
      { ...form, streamedWithBytes },
    ]);
    return { ...block, streamedWithBytes, forms: new Map(forms) };
  });
}
