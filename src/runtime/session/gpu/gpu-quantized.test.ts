/** Weights in small integers on the CPU as a device: logits of the same graph with the numbers that the integers stand for. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOLDENS, maxDifference, readRecording } from '../../../../test/golden/golden.js';
import { openOnHost } from '../../../../test/golden/open-on-host.js';
import { quantizedPair } from '../../../../test/golden/quantized-checkpoint.js';
import { recordedGeneration } from '../../../../test/golden/recorded-generation.js';
import { openCheckpoint, type Checkpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { QUANT_SCHEMES } from '../../../tensor/quantized.js';
import type { LanguagePrompt } from '../model/language-prompt.js';

const TOLERANCE = 1e-5;
const FAMILIES = ['tiny-opt', 'tiny-opt-projected', 'tiny-instructblip-llama', 'tiny-flan-t5', 'tiny-t5-relu-tied'];
const CASES = FAMILIES.flatMap((name) => QUANT_SCHEMES.map((scheme) => [name, scheme] as const));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpu-quantized-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Logits after the prompts and after some ids more. */
async function logitsOf(
  { config: json, tensors }: Checkpoint,
  prompt: LanguagePrompt,
  isResident: (block: string) => boolean,
): Promise<Float32Array[]> {
  await using model = await openOnHost(parseBlip2Config(json), tensors, isResident);
  const source = model.tokens(prompt);
  const logits = [await source.prefill()];
  const rows = [...prompt.textIds.keys()];
  for (const id of [5, 17, 40]) {
    logits.push(
      await source.advance(
        rows.map((row) => id + row),
        rows,
      ),
    );
  }
  return logits;
}

describe.each(CASES)('%s in %s on a device', (name, scheme) => {
  it('multiplies as with floats, resident and streamed', async () => {
    const source = await openCheckpoint(join(GOLDENS, name));
    const { quantized, floats } = await quantizedPair(source, scheme, folder);
    const { prompt } = recordedGeneration(parseBlip2Config(source.config), await readRecording(name, 'padded_batch'));
    const expected = await logitsOf(floats, prompt, () => true);
    const exact = await logitsOf(source, prompt, () => true);
    for (const isResident of [() => true, () => false]) {
      const found = await logitsOf(quantized, prompt, isResident);
      found.forEach((logits, step) => {
        expect(maxDifference(logits, expected[step] ?? new Float32Array())).toBeLessThan(TOLERANCE);
        expect(maxDifference(logits, exact[step] ?? new Float32Array())).toBeGreaterThan(TOLERANCE);
      });
    }
  });
});
