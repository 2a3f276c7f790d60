/** Where few shapes run, every row of the caches takes part in each step, those at rest too. */
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { GOLDENS } from '../../../../../test/golden/golden.js';
import { openOnHost } from '../../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { generate } from '../../../generation/generate.js';
import { resolveGenerationOptions } from '../../../generation/generation-options.js';
import { OpenSequences, type StepSettings } from '../../../generation/open-sequences.js';
import { rollingOnce } from '../../../generation/rolling-source.js';
import { webgpuStyle } from '../../../graph/gpu/gpu-style.js';
import type { LanguagePrompt } from '../../model/language-prompt.js';

const LENGTHS = [2, 9, 5];

it.each(['tiny-opt', 'tiny-flan-t5'])('goes on with the others where the first has ended: %s', async (family) => {
  const checkpoint = await openCheckpoint(join(GOLDENS, family));
  const config = parseBlip2Config(checkpoint.config);
  const device = { keepsShapes: true, style: webgpuStyle('F32') };
  await using model = await openOnHost(config, checkpoint.tensors, () => true, { device: () => device });
  const { numQueryTokens, text } = config;
  const size = numQueryTokens * text.hiddenSize;
  const promptOf = (pictures: readonly number[]): LanguagePrompt => ({
    prefix: new Tensor(
      'float32',
      Float32Array.from({ length: pictures.length * size }, (_, i) =>
        Math.sin(1 + (i % size) * ((pictures[Math.floor(i / size)] ?? 0) + 1)),
      ),
      [pictures.length, numQueryTokens, text.hiddenSize],
    ),
    textIds: pictures.map(() => [2, 3]),
    textMask: pictures.map(() => [1, 1]),
  });
  const context = text.family === 't5' ? [text.decoderStartTokenId] : [2, 3];
  const optionsOf = (picture: number) => ({ minNewTokens: LENGTHS[picture] ?? 0, maxNewTokens: LENGTHS[picture] ?? 0 });
  const expected = new Map<number, unknown>();
  for (const picture of LENGTHS.keys()) {
    const request = { contextIds: [context], eosTokenIds: text.eosTokenIds, randomStreams: [picture] };
    expected.set(picture, (await generate(model.tokens(promptOf([picture])), request, optionsOf(picture)))[0]);
  }

  const pictures = [...LENGTHS.keys()];
  const open = new OpenSequences(rollingOnce(model.tokens(promptOf(pictures))), {});
  const found = new Map<number, unknown>();
  const keep = (ended: Awaited<ReturnType<typeof open.step>>) => {
    for (const { picture, sequences } of ended) found.set(picture, sequences);
  };
  const settings = pictures.map((picture) => resolveGenerationOptions(optionsOf(picture), text) as StepSettings);
  keep(
    await open.admit({
      prompt: null,
      pictures,
      contextIds: pictures.map(() => context),
      randomStreams: pictures,
      settings,
    }),
  );
  while (open.count > 0) keep(await open.step());
  for (const picture of pictures) expect(found.get(picture), `picture ${picture}`).toEqual(expected.get(picture));
});
