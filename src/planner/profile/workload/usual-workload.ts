/** What a model of a kind usually has to do, where nobody says otherwise. */
import type { PictureSize } from '../../../model/picture-size.js';
import type { ModelUse } from '../../models/read-model-table.js';
import type { Workload } from './workload.js';

const USUAL: Readonly<Record<ModelUse, Pick<Workload, 'promptTokens' | 'newTokens'>>> = {
  causal: { promptTokens: 1024, newTokens: 256 },
  picture: { promptTokens: 1280, newTokens: 128 },
  seq2seq: { promptTokens: 512, newTokens: 128 },
  // Half a minute of sound.
  speech: { promptTokens: 1500, newTokens: 200 },
  once: { promptTokens: 512, newTokens: 1 },
};

const SAID: Readonly<Record<ModelUse, string>> = {
  causal: 'a chat of',
  picture: 'a question about a picture of',
  seq2seq: 'a text of',
  speech: 'a recording of',
  once: 'one pass over',
};

export function usualWorkload(use: ModelUse): Pick<Workload, 'promptTokens' | 'newTokens'> {
  return USUAL[use];
}

/** What the plan is for, in words. */
export function workloadNote(use: ModelUse, { promptTokens, newTokens }: Workload, picture?: PictureSize): string {
  const answer = use === 'once' ? '' : ` and ${newTokens} new ones`;
  const size = picture === undefined ? '' : ` (a picture of ${picture.width} x ${picture.height})`;
  return `The workload is ${SAID[use]} ${promptTokens} tokens${size}${answer}, unless others are asked for.`;
}
