import type { BulkResult } from '../../src/bulk/run/bulk-run.js';
import type { BulkRequest } from './bulk-flags.js';

/** What a run into a folder has come to, for people and for programs. */
export function bulkSummary(
  { tally, pictures, shardsLeft }: BulkResult,
  { out }: BulkRequest,
  seconds: number,
): { readonly text: string; readonly json: object } {
  const { captioned, failed, skipped, empty, repeated, truncated } = tally;
  const rows = [
    `${captioned} of ${pictures} pictures have captions in ${out}, after ${duration(seconds)}`,
    ...(skipped > 0 ? [`${skipped} had text files already and were skipped`] : []),
    ...(failed > 0 ? [`${failed} failed: their records say why, and --retry-failed runs them again`] : []),
    ...(empty > 0 ? [`${empty} captions are empty`] : []),
    ...(repeated > 0 ? [`${repeated} captions say the same words over and over`] : []),
    ...(truncated > 0 ? [`${truncated} captions were cut at the most tokens`] : []),
    ...(shardsLeft > 0 ? [`${shardsLeft} shards are left to other runs`] : []),
  ];
  return {
    text: `${rows.join('\n')}\n`,
    json: { pictures, captioned, failed, skipped, empty, repeated, truncated, shardsLeft, seconds },
  };
}

/** Such as `3 h 20 min`, `4 min 10 s`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
