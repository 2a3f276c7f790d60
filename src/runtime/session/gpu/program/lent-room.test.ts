/** Pictures encoded in the memory of caches, between captions. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GOLDENS } from '../../../../../test/golden/golden.js';
import { openOnHost } from '../../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { resolveGenerationOptions } from '../../../generation/generation-options.js';
import { OpenSequences, type StepSettings } from '../../../generation/open-sequences.js';
import { HostMemory } from '../../../device/memory/host-memory.js';
import type { GpuModel } from '../gpu-model.js';
import { Tensor } from 'onnxruntime-node';
import { alignedBytes } from '../../../device/memory/alignment.js';
import { LentRoom } from './lent-room.js';

const PICTURES = 32;
const TOKENS = 7;
const ROWS = 6;

class WatchedMemory extends HostMemory {
  heldBytes = 0;
  readonly #sizes = new Map<bigint, number>();

  override allocate(bytes: number): bigint {
    const address = super.allocate(bytes);
    this.heldBytes += bytes;
    this.#sizes.set(address, bytes);
    return address;
  }

  override free(address: bigint): void {
    this.heldBytes -= this.#sizes.get(address) ?? 0;
    this.#sizes.delete(address);
    super.free(address);
  }
}

describe.each(['tiny-opt', 'tiny-instructblip-llama'])('%s', (family) => {
  const open = async (encoded: number | undefined, memory: HostMemory, isRecorded: boolean) => {
    const checkpoint = await openCheckpoint(join(GOLDENS, family));
    const config = parseBlip2Config(checkpoint.config);
    const isResident = (block: string) => encoded === undefined || block.startsWith('language_model');
    const model = await openOnHost(config, checkpoint.tensors, isResident, {
      device: () => ({ memory, canRecord: isRecorded }),
      encoded,
    });
    return { config, model };
  };
  const { settings, caption } = { settings: { maxNewTokens: TOKENS }, caption: captionAll };

  it.each([false, true])(
    'says what it says where each has memory of its own (recorded steps: %s)',
    async (recorded) => {
      const whole = await open(undefined, new HostMemory(), recorded);
      await using own = whole.model;
      const memory = new WatchedMemory();
      const lending = await open(4, memory, recorded);
      await using lent = lending.model;
      expect([own.encodesAlone, lent.encodesAlone]).toEqual([false, true]);
      const promptTokens = whole.config.numQueryTokens + 1;
      lent.reserve({ rows: ROWS, newTokens: TOKENS, promptTokens });
      const before = memory.heldBytes;
      for (let round = 0; round < 3; round++) {
        const expected = await caption(own, whole.config, settings, round);
        expect(await caption(lent, whole.config, settings, round)).toEqual(expected);
      }
      expect(memory.heldBytes).toBeGreaterThanOrEqual(before);
    },
  );
});

async function captionAll(
  model: GpuModel,
  config: ReturnType<typeof parseBlip2Config>,
  options: { maxNewTokens: number },
  round: number,
): Promise<unknown[]> {
  const { channels, imageSize } = config.vision;
  const size = channels * imageSize ** 2;
  const count = PICTURES + 3 * round;
  const pixels = Float32Array.from({ length: count * size }, (_, i) => Math.sin(i * (1 + round) + ((i / size) | 0)));
  const words =
    config.qformer.text === null
      ? undefined
      : { ids: Array.from({ length: count }, () => [5, 6]), mask: Array.from({ length: count }, () => [1, 1]) };
  const prefix = await model.encodeImages(pixels, [count, channels, imageSize, imageSize], words);
  const rows = prefix.data as Float32Array;
  const perPicture = rows.length / count;
  const generation = resolveGenerationOptions(options, config.text) as StepSettings;
  const source = model.rolling({ rows: ROWS, newTokens: TOKENS, promptTokens: config.numQueryTokens + 1 });
  if (source === null) throw new Error('prompts cannot join');
  const sequences = new OpenSequences(source, {});
  const found: unknown[] = [];
  for (let next = 0; next < count || sequences.count > 0;) {
    const free = Math.min(3, ROWS - sequences.count, count - next);
    const ended =
      free > 0
        ? await sequences.admit({
            prompt: {
              prefix: new Tensor('float32', rows.slice(next * perPicture, (next + free) * perPicture), [
                free,
                config.numQueryTokens,
                config.text.hiddenSize,
              ]),
              textIds: Array.from({ length: free }, () => [2]),
              textMask: Array.from({ length: free }, () => [1]),
            },
            pictures: Array.from({ length: free }, (_, i) => next + i),
            contextIds: Array.from({ length: free }, () => [2]),
            settings: Array.from({ length: free }, () => generation),
          })
        : await sequences.step();
    next += free;
    for (const { picture, sequences: answers } of ended) found[picture] = answers;
  }
  return found;
}

describe('a room', () => {
  it('gives each who takes a place of its own, and nothing where there is none', () => {
    const memory = new HostMemory();
    const room = new LentRoom();
    expect(room.take(memory, 1)).toBe(null);
    const address = memory.allocate(1024);
    room.offer([{ memory, address, bytes: 1024 }]);
    expect(room.take(new HostMemory(), 1)).toBe(null);
    const first = room.take(memory, 100);
    expect(first).toBe(address);
    expect(room.take(memory, 100)).toBe(address + BigInt(alignedBytes(100)));
    expect(room.take(memory, 1024)).toBe(null);
    room.returnAll();
    expect(room.take(memory, 1024)).toBe(address);
    let told = 0;
    room.onWithdraw = () => (told += 1);
    room.withdraw();
    expect([told, room.take(memory, 1)]).toEqual([1, null]);
    memory.free(address);
  });
});
