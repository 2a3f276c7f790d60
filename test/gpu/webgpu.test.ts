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
import { createCaptioner } from '../../src/runtime/index.js';
import { DEMO, GOLDENS } from '../golden/golden.js';

const answer = await webgpuAnswer();
if (!answer.works) console.warn(`WebGPU is not tested here: ${answer.reason}`);

/** Software shaders are compiled for every new shape: a few tokens take seconds. */
const LIMIT_MS = 120_000;

describe.skipIf(!answer.works)('the demo on WebGPU', () => {
  it.each([
    ['as a whole', { '': 0 }],
    ['cut from the CPU', { '': 'cpu', vision_model: 0, 'language_model.model.decoder.layers.2': 0 }],
  ])(
    'captions as transformers, %s',
    async (_, map) => {
      const [entry] = JSON.parse(await readFile(join(GOLDENS, 'demo/goldens.json'), 'utf8')) as {
        image: string;
        caption: { ids: number[] };
      }[];
      if (entry === undefined) throw new Error('no pictures');
      const plan = parseDeviceMap(map);
      await using captioner = await createCaptioner(await openCheckpoint(DEMO), {
        provider: 'webgpu',
        plan,
        inProcess: true,
      });
      const maxNewTokens = 6;
      for await (const { answers } of captioner.caption(join(DEMO, 'pictures', entry.image), { maxNewTokens })) {
        expect(answers[0]?.ids).toEqual(entry.caption.ids.slice(0, maxNewTokens));
      }
    },
    LIMIT_MS,
  );
});
