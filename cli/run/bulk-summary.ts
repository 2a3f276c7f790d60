import type { BulkResult } from '../../src/bulk/run/bulk-run.js';
import { counted } from '../common/counted.js';
import { duration } from '../common/duration.js';
import type { BulkRequest } from './bulk-flags.js';

/** What a run into a folder has come to, for people and for programs. */
export function bulkSummary(
  { tally, pictures, donePictures, shardsLeft }: BulkResult,
  { out }: BulkRequest,
  seconds: number,
): { readonly text: string; readonly json: object } {
  const { captioned, failed, skipped, empty, repeated, truncated } = tally;
  const rows = [
    skipped === 0
      ? `${captioned} of ${pictures} pictures have captions in ${out}, after ${duration(seconds)}`
      : `${captioned} of ${pictures} pictures have new captions in ${out}, after ${duration(seconds)}; ${skipped} had text files already and were skipped`,
    ...(donePictures > 0
      ? [
          `${donePictures} were done before, and their pictures not looked at again: for replaced ones give another --out`,
        ]
      : []),
    ...(failed > 0 ? [`${failed} failed: their records say why, and --retry-failed runs them again`] : []),
    ...(empty > 0 ? [`${counted(empty, 'caption')} without a word`] : []),
    ...(repeated > 0 ? [`${counted(repeated, 'caption')} with the same words over and over`] : []),
    ...(truncated > 0 ? [`${counted(truncated, 'caption')} cut at the most tokens`] : []),
    ...(shardsLeft > 0 ? [`${counted(shardsLeft, 'shard')} left to other runs`] : []),
  ];
  return {
    text: `${rows.join('\n')}\n`,
    json: { pictures, donePictures, captioned, failed, skipped, empty, repeated, truncated, shardsLeft, seconds },
  };
}
