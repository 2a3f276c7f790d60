/**
 * The demo on whatever WebGPU adapter answers: a card's, or SwiftShader's on a machine without one (libvulkan1 and the
 * driver of Debian's chromium-common, VK_ICD_FILENAMES at its json, XDG_RUNTIME_DIR set). Skipped where none answers.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseDeviceMap } from '../../src/planner/index.js';
import { webgpuAnswer } from '../../src/runtime/provider/webgpu-provider.js';
import { CaptionEngine } from '../../src/runtime/caption-engine.js';
import type { DeviceOptions } from '../../src/runtime/captioner-options.js';
import { DEMO, GOLDENS } from '../golden/golden.js';

const answer = await webgpuAnswer();
if (!answer.works) console.warn(`WebGPU is not tested here: ${answer.reason}`);

/** Software shaders are compiled for every new shape: a few tokens take seconds. */
const LIMIT_MS = 240_000;

const entries = JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as {
  image: string;
  caption: { ids: number[]; beam5_ids: number[] };
}[];

async function captions(count: number, devices: DeviceOptions, generation = {}): Promise<(readonly number[])[]> {
  await using engine = await CaptionEngine.create(await openCheckpoint(DEMO), { provider: 'webgpu', ...devices });
  const pictures = entries.slice(0, count).map(({ image }) => ({ image: join(DEMO, 'pictures', image), ask: {} }));
  const batch = { pictures, first: 0, generation: { maxNewTokens: 40, ...generation } };
  return (await engine.captionBatch(batch, {})).map(({ answers }) => answers[0]?.ids ?? []);
}

const expected = (count: number, tokens = 40) =>
  entries.slice(0, count).map(({ caption: { ids } }) => ids.slice(0, tokens));

describe.skipIf(!answer.works)('the demo on WebGPU', () => {
  it('captions all pictures as transformers', { timeout: LIMIT_MS }, async () => {
    expect(await captions(entries.length, { deviceMap: parseDeviceMap({ '': 0 }) })).toEqual(expected(entries.length));
  });

  it('searches with beams as transformers', { timeout: LIMIT_MS }, async () => {
    const ids = await captions(1, { deviceMap: parseDeviceMap({ '': 0 }) }, { numBeams: 5 });
    expect(ids).toEqual(entries.slice(0, 1).map(({ caption }) => caption.beam5_ids));
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
  it.each(placements)(
    'captions as transformers with %s',
    async (_, placement) => {
      const tokens = 8;
      expect(await captions(1, placement, { maxNewTokens: tokens })).toEqual(expected(1, tokens));
    },
    LIMIT_MS,
  );
});
