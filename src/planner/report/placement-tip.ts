import { formatSize } from '../../size.js';
import type { Placement } from '../plan/document/plan-document.js';
import { formatMs } from './format-ms.js';

/** A block in a few words: `qformer.encoder.layer.0: streamed, 27.04 MiB, 12 KiB kept, 1.2 ms`. */
export function placementTip(placement: Placement, scheme: string | null): string {
  const { block, execution, weightBytes, keptBytes = 0, latencyMs } = placement;
  const form = scheme === null ? execution : `${execution}, ${scheme}`;
  return `${block}: ${form}, ${weightSize(weightBytes, keptBytes)}, ${formatMs(latencyMs)}`;
}

/** Weights, and what of them stays on the GPU while the rest is streamed to it. */
export function weightSize(weightBytes: number, keptBytes: number): string {
  return keptBytes === 0 ? formatSize(weightBytes) : `${formatSize(weightBytes)}, ${formatSize(keptBytes)} kept`;
}
