/** Pictures of other sizes than 224: the position table of the file (364, as in -coco) or interpolated. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generate } from '../../src/runtime/generation/generate.js';
import { imageProgram } from '../../src/runtime/graph/blip2-programs.js';
import { preparePixels } from './prepare-pixels.js';
import { parsePreprocessorConfig } from '../../src/runtime/image/preprocessor-config.js';
import { blip2Sessions } from '../../src/runtime/session/cpu/blip2-sessions.js';
import { startProgram } from '../../src/runtime/session/cpu/start-program.js';
import { DEMO, floats, goldenSources, GOLDENS, maxDifference, readTensors, rowsOf, tensorOf } from './golden.js';

const TOLERANCE = 1e-4;
const json = async (...path: string[]): Promise<unknown> => JSON.parse(await readFile(join(GOLDENS, ...path), 'utf8'));

interface Interpolated {
  readonly prompts: number[][];
  readonly ids: Record<string, number[][]>;
}

describe('tiny-opt with interpolated position embeddings', async () => {
  const { prompts, ids } = (await json('tiny-opt/interpolated/goldens.json')) as Interpolated;
  const recorded = await readTensors(join(GOLDENS, 'tiny-opt/interpolated/goldens.safetensors'));

  it.each(Object.keys(ids))('%s: image embeddings and ids', async (size) => {
    const pixels = tensorOf(recorded, `${size}.pixel_values`);
    const [, , height = 0, width = 0] = pixels.dims;
    const sources = { ...(await goldenSources('tiny-opt')), pictureSize: { height, width } };
    await using runner = await startProgram(imageProgram(sources.config, ['vision']), sources);
    const wires = await runner.run(new Map([['pixel_values', pixels]]));
    const expected = floats(tensorOf(recorded, `${size}.image_embeds`));
    expect(maxDifference(floats(tensorOf(wires, 'vision')), expected)).toBeLessThan(TOLERANCE);

    await using sessions = await blip2Sessions(sources);
    const prefix = await sessions.encodeImages(floats(pixels), pixels.dims);
    const textMask = prompts.map((prompt) => prompt.map(() => 1));
    const request = { contextIds: prompts, eosTokenIds: sources.config.text.eosTokenIds };
    const source = sessions.tokens({ prefix, textIds: prompts, textMask });
    const generated = await generate(source, request, { maxNewTokens: 12 });
    const stopped = ids[size]?.map((row) => row.slice(0, row.includes(5) ? row.indexOf(5) + 1 : undefined));
    expect(generated.map(([first]) => first?.ids)).toEqual(stopped);
  });
});

describe('tiny-opt-coco', () => {
  it('takes pictures of 364 x 364: language input and ids from the picture file on', async () => {
    const sources = await goldenSources('tiny-opt-coco');
    const recorded = await readTensors(join(GOLDENS, 'tiny-opt-coco/goldens.safetensors'));
    const { ids } = (await json('tiny-opt-coco/goldens.json')) as { ids: number[] };
    const preprocessor = parsePreprocessorConfig(await json('tiny-opt-coco/preprocessor_config.json'));
    const { data, height, width } = await preparePixels(join(DEMO, 'pictures/shape-00.png'), preprocessor);
    await using sessions = await blip2Sessions(sources);
    const prefix = await sessions.encodeImages(data, [1, 3, height, width]);
    const expected = floats(tensorOf(recorded, 'language_input'));
    expect(maxDifference(floats(prefix), expected)).toBeLessThan(TOLERANCE);

    const textIds = rowsOf(tensorOf(recorded, 'input_ids')).map((row) => row.slice(sources.config.numQueryTokens));
    const source = sessions.tokens({ prefix, textIds, textMask: [[1, 1, 1]] });
    const request = { contextIds: textIds, eosTokenIds: sources.config.text.eosTokenIds };
    const [sequences] = await generate(source, request, { maxNewTokens: 12 });
    expect(sequences?.[0]?.ids).toEqual(ids);
  });
});
