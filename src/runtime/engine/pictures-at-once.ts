import type { Blip2Config } from '../../model/blip2-config.js';
import { mostTokens } from '../../model/language-config.js';
import type { PictureSize } from '../../model/picture-size.js';
import { MOST_TOGETHER } from '../../planner/profile/workload/encoding.js';
import { resolveGenerationOptions, sequencesAtOnce } from '../generation/generation-options.js';
import type { AskedWork, PlannedRoom } from '../placement/planned-room.js';
import type { CaptionModel } from '../session/model/caption-model.js';
import type { StreamRequest } from './caption-worker.js';

/** Pictures at once where nothing else limits them. */
const MOST_ON_DEVICE = 512;
const MOST_ON_CPU = 16;

/** What there is to decode with: without a plan, `room` is null, and what the devices have left decides. */
export interface DecodingMeans {
  readonly config: Blip2Config;
  readonly model: CaptionModel;
  readonly room: Pick<PlannedRoom, 'plannedBatch' | 'check' | 'has'> | null;
  readonly pictureSize: PictureSize;
}

/**
 * How many pictures are decoded at once: no more than there are. Of a single one nothing is priced.
 * @throws Blip2Error `PLAN_MISMATCH` where a plan has no room for as many as are asked for
 */
export async function picturesAtOnce(
  { config, model, room, pictureSize }: DecodingMeans,
  { generation, pictures: wanted, total = Infinity, maxTextTokens = 1 }: StreamRequest,
): Promise<number> {
  const { maxNewTokens, strategy } = resolveGenerationOptions(generation, config.text);
  // A prompt and its answer are within the model's positions, whatever each may be.
  const limit = mostTokens(config.text) ?? Infinity;
  const promptTokens = Math.min(config.numQueryTokens + maxTextTokens, limit - 1);
  const newTokens = Math.min(maxNewTokens, limit - promptTokens);
  const work = (batch: number): AskedWork => ({
    batch,
    beams: sequencesAtOnce(strategy),
    promptTokens,
    newTokens,
    pictureSize,
  });
  if (wanted !== 'auto') {
    await room?.check(work(wanted));
    return Math.max(1, Math.min(wanted, total));
  }
  // Who plans for one picture has said nothing of many.
  const planned = room?.plannedBatch ?? 1;
  const most = planned > 1 ? planned : model.rolling === undefined ? MOST_ON_CPU : MOST_ON_DEVICE;
  for (let pictures = most; Math.min(pictures, total) > 1; pictures = Math.floor(pictures / 2)) {
    // As many as half of these would be.
    if (Math.floor(pictures / 2) >= total) continue;
    const asked = Math.min(pictures, total);
    if (room === null ? hasMemoryFor(model, work(asked)) : await room.has(work(asked))) return asked;
  }
  return 1;
}

function hasMemoryFor(model: CaptionModel, { batch, beams, promptTokens, newTokens }: AskedWork): boolean {
  const encoded = Math.min(batch, MOST_TOGETHER);
  return model.hasRoomFor?.({ rows: batch * beams, encoded, tokens: promptTokens + newTokens }) ?? true;
}
