/**
 * The demo on whatever WebGPU adapter answers: a card's, or SwiftShader's on a machine without one (libvulkan1 and the
 * driver of Debian's chromium-common, VK_ICD_FILENAMES at its json, XDG_RUNTIME_DIR set). Skipped where none answers.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseDeviceMap } from '../../src/planner/index.js';
import { webgpuAnswer } from '../../src/runtime/device/webgpu-provider.js';
import { CaptionEngine } from '../../src/runtime/engine/caption-engine.js';
import type { DeviceOptions } from '../../src/runtime/device/device-options.js';
import { DEMO, GOLDENS } from '../golden/golden.js';

const answer = await webgpuAnswer();
if (!answer.works) console.warn(`WebGPU is not tested here: ${answer.reason}`);

interface DemoAnswer {
  readonly prompt: string | null;
  readonly ids: readonly number[];
  readonly beam5_ids: readonly number[];
}

const entries = JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as {
  readonly image: string;
  readonly caption: DemoAnswer;
  readonly vqa: DemoAnswer;
}[];

type Asked = readonly { readonly image: string; readonly asked: DemoAnswer }[];

async function answers(asked: Asked, devices: DeviceOptions, generation = {}): Promise<(readonly number[])[]> {
  await using engine = await CaptionEngine.create(await openCheckpoint(DEMO), { provider: 'webgpu', ...devices });
  const pictures = asked.map(({ image, asked: { prompt } }) => ({
    image: join(DEMO, 'pictures', image),
    ask: prompt === null ? {} : { prompt },
  }));
  const batch = { pictures, first: 0, generation: { maxNewTokens: 40, ...generation } };
  return (await engine.captionBatch(batch, {})).map((answered) => answered.answers[0]?.ids ?? []);
}

/** A program that computes as a card does takes a minute for what a card does at once. */
const isSoftware = answer.works && /swiftshader|llvmpipe/i.test(answer.devices[0]?.name ?? '');
const some = isSoftware ? 2 : entries.length;

const captioned = (count: number): Asked =>
  entries.slice(0, count).map(({ image, caption }) => ({ image, asked: caption }));

describe.skipIf(!answer.works)('the demo on WebGPU', () => {
  it('captions pictures as transformers', async () => {
    const ids = await answers(captioned(some), { deviceMap: parseDeviceMap({ '': 0 }) });
    expect(ids).toEqual(entries.slice(0, some).map(({ caption }) => caption.ids));
  });

  it('searches with beams after prompts of several lengths', async () => {
    const asked = entries
      .slice(1, 3)
      .map(({ image, caption, vqa }, index) => ({ image, asked: index === 0 ? caption : vqa }));
    const ids = await answers(asked, { deviceMap: parseDeviceMap({ '': 0 }) }, { numBeams: 5 });
    expect(ids).toEqual(asked.map(({ asked: { beam5_ids: beams } }) => beams));
  });

  const layer = (number: number) => `language_model.model.decoder.layers.${number}`;
  const placements: readonly (readonly [string, DeviceOptions])[] = [
    [
      'streamed blocks',
      { deviceMap: parseDeviceMap({ '': 0, [layer(1)]: 'cpu', 'vision_model.encoder.layers.2': 'cpu' }) },
    ],
    [
      'blocks that the CPU runs',
      {
        deviceMap: parseDeviceMap({ '': 0, qformer: 'cpu', [layer(0)]: 'cpu', [layer(2)]: 'cpu' }),
        hostBlocks: new Set([layer(0), layer(2)]),
      },
    ],
  ];
  it.each(placements)('captions as transformers with %s', async (_, placement) => {
    const ids = await answers(captioned(1), placement, { maxNewTokens: 8 });
    expect(ids).toEqual(entries.slice(0, 1).map(({ caption }) => caption.ids.slice(0, 8)));
  });
});
