/** The demo in float16 on this machine's CUDA cards, over two of them where there are two. Skipped where CUDA does not work. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { parseBlip2Config } from '../../src/model/blip2-config.js';
import { blip2Blocks } from '../../src/model/blocks.js';
import type { CacheForm } from '../../src/model/quantized-caches.js';
import type { Device } from '../../src/planner/map/device-map.js';
import { generate } from '../../src/runtime/generation/generate.js';
import type { GenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { preparePixels } from '../golden/prepare-pixels.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { cudaAnswer, ownKernels } from '../../src/runtime/device/cuda-provider.js';
import { cudaDevice } from '../../src/runtime/session/gpu/device/cuda-device.js';
import type { SessionKind } from '../../src/runtime/session/gpu/device/engine-device.js';
import type { GpuModel } from '../../src/runtime/session/gpu/gpu-model.js';
import { openEngineModel } from '../../src/runtime/session/gpu/open-engine-model.js';
import { DEMO, GOLDENS } from '../golden/golden.js';

const answer = cudaAnswer();
if (!answer.works) console.warn(`CUDA is not tested here: ${answer.reason}`);
const last = answer.works ? answer.devices.length - 1 : 0;

interface Entry {
  readonly image: string;
  readonly caption: { readonly ids: readonly number[]; readonly beam5_ids: readonly number[] };
}

const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
const entries = (await json(join(GOLDENS, 'demo/goldens.json'))) as Entry[];
const preprocessor = parsePreprocessorConfig(await json(join(DEMO, 'preprocessor_config.json')));
const checkpoint = await openCheckpoint(DEMO);
const config = parseBlip2Config(checkpoint.config);
const blocks = blip2Blocks(config).map(({ name }) => name);

interface DemoSettings {
  readonly profiles?: string;
  readonly caches?: CacheForm;
}

async function openDemo(
  place: (block: string) => Device,
  isHost: (block: string) => boolean,
  { profiles, caches }: DemoSettings = {},
) {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'blip2-cuda-'));
  onTestFinished(() => rm(cacheFolder, { recursive: true }));
  const hostBlocks = new Set(blocks.filter(isHost));
  const places = new Map(blocks.map((block) => [block, hostBlocks.has(block) ? 'cpu' : place(block)] as const));
  const openGpu = (gpu: number) => {
    const device = cudaDevice(gpu, caches);
    if (profiles === undefined) return device;
    const sessionOptions = (kind: SessionKind) => ({
      ...device.sessionOptions(kind),
      profile: join(profiles, String(gpu)),
    });
    return { ...device, sessionOptions };
  };
  return openEngineModel(config, checkpoint, places, { options: { hostBlocks, cacheFolder }, openGpu });
}

async function caption(model: GpuModel, image: string, options: GenerationOptions = {}) {
  const { data, width, height } = await preparePixels(join(DEMO, 'pictures', image), preprocessor);
  const prefix = await model.encodeImages(data, [1, config.vision.channels, height, width]);
  const bos = config.text.family === 't5' ? 0 : config.text.bosTokenId;
  const context = [...Array.from({ length: config.numQueryTokens }, () => 1), bos];
  const request = { contextIds: [context], eosTokenIds: config.text.eosTokenIds };
  const source = model.tokens({ prefix, textIds: [[bos]], textMask: [[1]] });
  const [[found] = []] = await generate(source, request, { maxNewTokens: 40, ...options });
  return found?.ids;
}

const MAPS: readonly (readonly [string, (block: string) => Device])[] = [
  ['everything on one card', () => 0],
  ['cut between cards', (block) => (/layers\.[23]$|lm_head|final|qformer/.test(block) ? last : 0)],
  ['cards in turns', (block) => (/[13]$|norm$/.test(block) ? last : 0)],
  ['most of it streamed', (block) => (/layers\.1$|projection/.test(block) ? last : /[03]$/.test(block) ? 0 : 'cpu')],
];
const HOSTS: readonly (readonly [string, (block: string) => boolean])[] = [
  ['nothing', () => false],
  ['half of the decoder', (block) => /decoder\.layers\.[01]$/.test(block)],
  ['the vision model and the head', (block) => /vision|lm_head|embed/.test(block)],
];

describe.skipIf(!answer.works)('the demo on CUDA', () => {
  describe.each(MAPS)('%s', (_, place) => {
    it.each(HOSTS)('captions as transformers; the CPU runs %s', async (__, isHost) => {
      await using model = await openDemo(place, isHost);
      for (const { image, caption: expected } of entries.slice(0, 4)) {
        expect(await caption(model, image), image).toEqual(expected.ids);
        expect(await caption(model, image, { numBeams: 5 }), image).toEqual(expected.beam5_ids);
      }
    });
  });

  it.skipIf(!answer.works || ownKernels(0) === null)('captions as transformers with caches of integers', async () => {
    for (const [, place] of MAPS.slice(0, 2)) {
      await using model = await openDemo(place, () => false, { caches: 'int8' });
      for (const { image, caption: expected } of entries.slice(0, 8)) {
        expect(await caption(model, image), image).toEqual(expected.ids);
      }
      // Copies of rows.
      await caption(model, entries[0]?.image ?? '', { numBeams: 5 });
    }
  });

  it('runs every node with weights on its card', async () => {
    const profiles = await mkdtemp(join(tmpdir(), 'blip2-cuda-profiles-'));
    onTestFinished(() => rm(profiles, { recursive: true }));
    {
      await using model = await openDemo(MAPS[1]?.[1] ?? (() => 0), () => false, { profiles });
      await caption(model, entries[0]?.image ?? '');
    }
    const elsewhere = new Set<string>();
    for (const file of await readdir(profiles)) {
      const events = (await json(join(profiles, file))) as {
        readonly cat: string;
        readonly name: string;
        readonly args: { readonly provider?: string; readonly op_name?: string };
      }[];
      for (const { cat, name, args } of events) {
        if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue;
        if (args.provider !== 'CUDAExecutionProvider' || /Memcpy/.test(args.op_name ?? ''))
          elsewhere.add(args.op_name ?? '');
      }
    }
    // Shapes are put together by the CPU.
    expect([...elsewhere]).toEqual(['Concat']);
  });
});
