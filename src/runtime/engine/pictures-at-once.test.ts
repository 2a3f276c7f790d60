import { expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { PRESETS } from '../../model/presets.js';
import type { CaptionModel } from '../session/model/caption-model.js';
import { picturesAtOnce } from './pictures-at-once.js';

const config = parseBlip2Config(PRESETS.get('Salesforce/blip2-opt-2.7b')?.config);
/** Of a card: what is asked of it is not asked here. */
const model = { rolling: () => null } as unknown as CaptionModel;

/** How many are decoded at once where so many have room, and what the plan was asked on the way. */
async function decided(mostWithRoom: number, total: number | undefined, pictures: number | 'auto' = 'auto') {
  const asked: number[] = [];
  const has = ({ batch }: { readonly batch: number }) => {
    asked.push(batch);
    return Promise.resolve(batch <= mostWithRoom);
  };
  const room = { plannedBatch: 1, has, check: async (work: { readonly batch: number }) => void (await has(work)) };
  const means = { config, model, room, pictureSize: { height: 224, width: 224 } };
  const request = { generation: {}, pictures, ...(total === undefined ? {} : { total }) };
  return { pictures: await picturesAtOnce(means, request), asked };
}

it.each([
  // Of a single picture nothing is priced, nor of none.
  [1000, 0, 1, []],
  [1000, 1, 1, []],
  [1000, 2, 2, [2]],
  [1000, 100, 100, [100]],
  [64, 100, 64, [100, 64]],
  [3, 100, 2, [100, 64, 32, 16, 8, 4, 2]],
  [0, 3, 1, [3, 2]],
  [300, undefined, 256, [512, 256]],
  [1000, 5000, 512, [512]],
])('with room for %i, of %s pictures %i at once', async (room, total, pictures, asked) => {
  expect(await decided(room, total)).toEqual({ pictures, asked });
});

it('as many as are wanted, and no more than there are', async () => {
  expect(await decided(1000, 3, 8)).toEqual({ pictures: 3, asked: [8] });
  expect(await decided(1000, undefined, 8)).toEqual({ pictures: 8, asked: [8] });
});
