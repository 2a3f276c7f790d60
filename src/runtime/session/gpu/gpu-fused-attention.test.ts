/** Heads that `GroupQueryAttention` takes, on the CPU as a device, against the CPU's own programs. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOLDENS, maxDifference, sourcesOf } from '../../../../test/golden/golden.js';
import { openOnHost } from '../../../../test/golden/open-on-host.js';
import { randomCheckpoint } from '../../../../test/golden/random-checkpoint.js';
import { parseBlip2Config, type Blip2Config } from '../../../model/blip2-config.js';
import { fusesAttention } from '../../graph/gpu/gpu-attention.js';
import { blip2Sessions } from '../cpu/blip2-sessions.js';
import type { CaptionModel } from '../model/caption-model.js';

const WIDER = {
  'tiny-opt': { hidden_size: 64, word_embed_proj_dim: 64, num_attention_heads: 4 },
  'tiny-instructblip-llama': { hidden_size: 64, num_attention_heads: 4, head_dim: 16 },
} as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpu-fused-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Two prompts of different lengths, three beams' worth of reordering, and a row that ends. */
async function logitsOf(model: CaptionModel, { numQueryTokens, text }: Blip2Config): Promise<Float32Array[]> {
  const values = Float32Array.from({ length: 2 * numQueryTokens * text.hiddenSize }, (_, i) => Math.sin(i));
  const prefix = new Tensor('float32', values, [2, numQueryTokens, text.hiddenSize]);
  const source = model.tokens({
    prefix,
    textIds: [
      [1, 2, 7, 9],
      [2, 5, 11, 12],
    ],
    textMask: [
      [0, 1, 1, 1],
      [1, 1, 1, 1],
    ],
  });
  return [
    await source.prefill(),
    await source.advance([3, 4, 8, 9], [0, 0, 1, 0]),
    await source.advance([10, 20, 30, 40], [3, 2, 2, 1]),
    await source.advance([60, 61], [1, 3]),
  ];
}

describe.each(Object.entries(WIDER))('%s with wider heads on a device', (name, text) => {
  it('gives the logits of the CPU, resident and streamed', async () => {
    const json = JSON.parse(await readFile(join(GOLDENS, name, 'config.json'), 'utf8')) as { text_config: object };
    const checkpoint = await randomCheckpoint(
      { ...json, text_config: { ...json.text_config, ...text } },
      join(folder, `${name}.safetensors`),
    );
    const config = parseBlip2Config(checkpoint.config);
    expect(config.text.family !== 't5' && fusesAttention({ attention: 'fused' }, config.text)).toBe(true);
    await using sessions = await blip2Sessions(sourcesOf(checkpoint));
    const expected = await logitsOf(sessions, config);
    for (const isResident of [() => true, () => false]) {
      await using model = await openOnHost(config, checkpoint.tensors, isResident);
      const found = await logitsOf(model, config);
      found.forEach((logits, step) => {
        const theirs = expected[step] ?? new Float32Array();
        const scale = Math.max(...theirs.map(Math.abs));
        expect(maxDifference(logits, theirs), `step ${step}`).toBeLessThan(1e-5 * scale);
      });
    }
  });
});
