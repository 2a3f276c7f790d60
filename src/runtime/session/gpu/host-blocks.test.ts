/** Blocks that the CPU runs in float32 beside a device that computes in float16, as a GPU would. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DEMO, GOLDENS } from '../../../../test/golden/golden.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import type { Device } from '../../../planner/map/device-map.js';
import { generate } from '../../generation/generate.js';
import { gpuStyle } from '../../graph/gpu/gpu-style.js';
import { preparePixels } from '../../../../test/golden/prepare-pixels.js';
import { parsePreprocessorConfig } from '../../image/preprocessor-config.js';
import { HostMemory } from '../../device/memory/host-memory.js';
import { openEngineModel } from './open-engine-model.js';

const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));

describe('the demo with blocks that the CPU runs', async () => {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'blip2-host-blocks-'));
  afterAll(() => rm(cacheFolder, { recursive: true }));
  const entries = (await json(join(GOLDENS, 'demo/goldens.json'))) as { image: string; caption: { ids: number[] } }[];
  const preprocessor = parsePreprocessorConfig(await json(join(DEMO, 'preprocessor_config.json')));
  const checkpoint = await openCheckpoint(DEMO);
  const config = parseBlip2Config(checkpoint.config);
  const blocks = blip2Blocks(config).map(({ name }) => name);

  it.each([
    ['the vision model', /^vision_model/],
    ['half of the decoder', /layers\.[01]$/],
    ['the head and its table', /lm_head|embed_tokens/],
    ['every second block', /[13]$|layernorm$/],
  ])('captions as transformers, %s among them', async (_, pattern) => {
    const hostBlocks = new Set(blocks.filter((block) => pattern.test(block)));
    const places = new Map(blocks.map((block): [string, Device] => [block, hostBlocks.has(block) ? 'cpu' : 0]));
    const openGpu = () => ({
      memory: new HostMemory(),
      style: gpuStyle('F16'),
      sessionOptions: () => ({ threads: 1 }),
      isHost: false,
      canRecord: false,
    });
    const options = { cacheFolder, hostBlocks, threads: 1 };
    await using model = await openEngineModel(config, checkpoint, places, { options, openGpu });
    for (const { image, caption } of entries.slice(0, 2)) {
      const { data, width, height } = await preparePixels(join(DEMO, 'pictures', image), preprocessor);
      const prefix = await model.encodeImages(data, [1, 3, height, width]);
      const prompt = {
        prefix,
        textIds: [[config.text.family === 'opt' ? config.text.bosTokenId : 0]],
        textMask: [[1]],
      };
      const context = Array.from({ length: config.numQueryTokens }, () => 1);
      const request = {
        contextIds: [[...context, ...(prompt.textIds[0] ?? [])]],
        eosTokenIds: config.text.eosTokenIds,
      };
      const [[answer] = []] = await generate(model.tokens(prompt), request, { maxNewTokens: 40 });
      expect(answer?.ids).toEqual(caption.ids);
    }
  });
});
