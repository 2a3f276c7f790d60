/** Caches with room for all that decoding comes to are made once, and hold the same. */
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GOLDENS } from '../../../../../test/golden/golden.js';
import { openOnHost } from '../../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { generate } from '../../../generation/generate.js';
import { resolveGenerationOptions } from '../../../generation/generation-options.js';
import { OpenSequences, type StepSettings } from '../../../generation/open-sequences.js';
import { rollingOnce } from '../../../generation/rolling-source.js';
import type { DecodingRoom } from '../../model/language-prompt.js';
import type { Address } from '../../../device/memory/device-memory.js';
import { HostMemory } from '../../../device/memory/host-memory.js';

class CountingMemory extends HostMemory {
  readonly #sizes = new Map<Address, number>();
  heldBytes = 0;
  mostBytes = 0;

  override allocate(bytes: number): Address {
    const address = super.allocate(bytes);
    this.#sizes.set(address, bytes);
    this.heldBytes += bytes;
    this.mostBytes = Math.max(this.mostBytes, this.heldBytes);
    return address;
  }

  override free(address: Address): void {
    this.heldBytes -= this.#sizes.get(address) ?? 0;
    this.#sizes.delete(address);
    super.free(address);
  }
}

const BEAMS = 4;
const TOKENS = 40;

/** Beams over two pictures, and the most memory that they took. */
async function search(family: string, room?: DecodingRoom) {
  const checkpoint = await openCheckpoint(join(GOLDENS, family));
  const config = parseBlip2Config(checkpoint.config);
  const memory = new CountingMemory();
  await using model = await openOnHost(config, checkpoint.tensors, () => true, { device: () => ({ memory }) });
  const { channels, imageSize } = config.vision;
  const size = channels * imageSize ** 2;
  const pixels = Float32Array.from({ length: 2 * size }, (_, i) => ((i * (i < size ? 1 : 7)) % 31) / 15 - 1);
  const prefix = await model.encodeImages(pixels, [2, channels, imageSize, imageSize]);
  const before = memory.heldBytes;
  memory.mostBytes = before;
  const prompt = { prefix, textIds: [[2], [2]], textMask: [[1], [1]], ...(room === undefined ? {} : { room }) };
  const request = { contextIds: [[2], [2]], eosTokenIds: [] };
  const found = await generate(model.tokens(prompt), request, { numBeams: BEAMS, maxNewTokens: TOKENS });
  const ids = found.map(([best]) => best?.ids);
  return { ids, mostBytes: memory.mostBytes - before, leftBytes: memory.heldBytes - before };
}

const PICTURES = 24;

/** The most memory that captions of so many tokens each take, which begin together, where no step is recorded. */
async function bytesOfCaptions(family: string, tokensOf: (picture: number) => number): Promise<number> {
  const checkpoint = await openCheckpoint(join(GOLDENS, family));
  const config = parseBlip2Config(checkpoint.config);
  const memory = new CountingMemory();
  await using model = await openOnHost(config, checkpoint.tensors, () => false, { device: () => ({ memory }) });
  const { numQueryTokens, text } = config;
  const dims = [PICTURES, numQueryTokens, text.hiddenSize];
  const pictures = Array.from({ length: PICTURES }, (_, picture) => picture);
  const context = [text.family === 't5' ? text.decoderStartTokenId : 2];
  const before = memory.heldBytes;
  memory.mostBytes = before;
  const prompt = {
    prefix: new Tensor('float32', new Float32Array(dims.reduce((product, size) => product * size)).fill(0.5), dims),
    textIds: pictures.map(() => [2]),
    textMask: pictures.map(() => [1]),
    room: { rows: PICTURES, newTokens: PICTURES + 1 },
  };
  const open = new OpenSequences(rollingOnce(model.tokens(prompt)), {});
  const settings = pictures.map((picture) => {
    const tokens = { minNewTokens: tokensOf(picture), maxNewTokens: tokensOf(picture) };
    return resolveGenerationOptions(tokens, text) as StepSettings;
  });
  await open.admit({ prompt: null, pictures, settings, contextIds: pictures.map(() => context) });
  while (open.count > 0) await open.step();
  return memory.mostBytes - before;
}

describe.each(['tiny-opt', 'tiny-flan-t5'])('%s', (family) => {
  it('makes caches as large as decoding needs them, once', async () => {
    const grown = await search(family);
    const made = await search(family, { rows: 2 * BEAMS, newTokens: TOKENS });
    expect(made.ids).toEqual(grown.ids);
    expect(made.mostBytes).toBe(made.leftBytes);
    expect(grown.mostBytes).toBeGreaterThan(grown.leftBytes);
  });

  it('takes no more memory where captions end one after the other', async () => {
    const together = await bytesOfCaptions(family, () => PICTURES + 1);
    expect(await bytesOfCaptions(family, (picture) => picture + 2)).toBeLessThanOrEqual(together);
  });
});
