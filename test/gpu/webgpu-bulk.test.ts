/** Many pictures on a WebGPU adapter, rows of finished captions taken by the next. Skipped where none answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/loader/checkpoint/checkpoint.js';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseDeviceMap } from '../../src/planner/index.js';
import { webgpuAnswer } from '../../src/runtime/device/webgpu-provider.js';
import { CaptionEngine } from '../../src/runtime/engine/caption-engine.js';
import type { NumberedPicture } from '../../src/runtime/engine/caption-worker.js';
import type { Outcome } from '../../src/runtime/engine/captioner-options.js';
import { withPokedTensor } from '../golden/poked-checkpoint.js';
import { DEMO, GOLDENS } from '../golden/golden.js';

const answer = await webgpuAnswer();
if (!answer.works) console.warn(`Bulk on WebGPU is not tested here: ${answer.reason}`);

const entries = JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as {
  readonly image: string;
  readonly caption: { readonly ids: readonly number[] };
}[];

async function outcomes(checkpoint: Checkpoint, tokens: readonly number[]): Promise<Outcome[]> {
  const deviceMap = parseDeviceMap({ '': 0 });
  await using engine = await CaptionEngine.create(checkpoint, { provider: 'webgpu', deviceMap });
  async function* pictures(): AsyncGenerator<NumberedPicture, void, undefined> {
    for (const [index, maxNewTokens] of tokens.entries()) {
      const image = join(DEMO, 'pictures', entries[index]?.image ?? '');
      yield { image, ask: {}, index, generation: { maxNewTokens } };
    }
  }
  const all: Outcome[] = [];
  const asked = { generation: { maxNewTokens: 4 }, pictures: 2 };
  for await (const some of engine.captionStream(pictures(), asked, {})) all.push(...some);
  return all;
}

describe.skipIf(!answer.works)('bulk on WebGPU', () => {
  it('answers each picture as alone, whenever the others end', async () => {
    const tokens = [1, 4, 2, 4];
    const captions = (await outcomes(await openCheckpoint(DEMO), tokens)).map((outcome) => {
      if (outcome.status === 'failed') throw outcome.error;
      return outcome.caption;
    });
    const ids = captions.sort((a, b) => a.index - b.index).map(({ answers }) => answers[0]?.ids);
    expect(ids).toEqual(tokens.map((count, index) => entries[index]?.caption.ids.slice(0, count)));
  });

  it('says so where logits are not finite', async () => {
    await using poked = await withPokedTensor(DEMO, 'language_model.model.decoder.layers.0.fc2.weight', [Number.NaN]);
    const failed = await outcomes(await openCheckpoint(poked.folder), [2, 2]);
    expect(failed).toHaveLength(2);
    for (const outcome of failed)
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'LOGITS_NOT_FINITE' } });
  });
});
