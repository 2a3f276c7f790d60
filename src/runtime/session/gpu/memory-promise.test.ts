/** What the engine takes of each device, against what the plan said that it would. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DEMO } from '../../../../test/golden/golden.js';
import { randomCheckpoint } from '../../../../test/golden/random-checkpoint.js';
import { openPlanOnHost } from '../../../../test/golden/open-on-host.js';
import { openCheckpoint, type Checkpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { planDeviceMap, type Device, UNKNOWN_GPU, UNKNOWN_HOST } from '../../../planner/index.js';
import type { Address, HostBuffer } from '../../device/memory/device-memory.js';
import type { PictureSize } from '../../../model/picture-size.js';
import { HostMemory } from '../../device/memory/host-memory.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
/** Each tensor begins at a multiple of 256 bytes: at most this much is lost between them. */
const ROUNDING_BYTES = 64 * KIB;
/** A prompt's tokens, logits and what masks them. */
const PROMPT_BYTES = 32 * KIB;
/** Of which a head is larger than any layer of the demo. */
const VOCABULARY = 10_000;

class CountingMemory extends HostMemory {
  readonly sizes = new Map<Address, number>();

  override allocate(bytes: number): Address {
    const address = super.allocate(bytes);
    this.sizes.set(address, bytes);
    return address;
  }

  override free(address: Address): void {
    this.sizes.delete(address);
    super.free(address);
  }

  /** What a GPU's copies go through is the host's. */
  override allocateHost(bytes: number): HostBuffer {
    const buffer = super.allocateHost(bytes);
    this.sizes.delete(buffer.address);
    return buffer;
  }

  get heldBytes(): number {
    return [...this.sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** The demo over GPUs of these sizes, and what each of them holds before and after a prompt. */
async function openPlanned(
  sizes: readonly number[],
  {
    pictureSize,
    canRecord = false,
    from = DEMO,
  }: { pictureSize?: PictureSize | undefined; canRecord?: boolean; from?: string | Checkpoint } = {},
) {
  const checkpoint = typeof from === 'string' ? await openCheckpoint(from) : from;
  const config = parseBlip2Config(checkpoint.config);
  const result = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    dtype: 'float32',
    // A host too slow to compute: what does not stay on a GPU streams through one.
    machine: { gpus: [UNKNOWN_GPU], host: { ...UNKNOWN_HOST, flopsPerSecond: 1e6 } },
    budgets: { gpus: new Map(sizes.map((bytes, gpu) => [gpu, bytes])), ramBytes: null, diskBytes: 0 },
    workload: { pictureSize: pictureSize ?? null },
  });
  if (result.status === 'infeasible') throw new Error('the demo does not fit');
  const { placements, devices } = result.plan;
  const memories = new Map<number | 'cpu', CountingMemory>();
  const device = (id: number | 'cpu') => {
    const memory = new CountingMemory();
    memories.set(id, memory);
    return { memory, canRecord };
  };
  await using model = await openPlanOnHost(config, checkpoint.tensors, placements, device, { pictureSize });
  const held = () => new Map<Device, number>([...memories].map(([id, memory]) => [id, memory.heldBytes]));
  const loaded = held();
  const { imageSize, channels } = config.vision;
  const { height, width } = pictureSize ?? { height: imageSize, width: imageSize };
  const prefix = await model.encodeImages(new Float32Array(channels * height * width), [1, channels, height, width]);
  const beforePrompt = held();
  await model.tokens({ prefix, textIds: [[2]], textMask: [[1]] }).prefill();
  return {
    placements,
    devices: devices.filter(({ id }) => typeof id === 'number'),
    loaded,
    beforePrompt,
    after: held(),
  };
}

function expectPromised(
  { devices, loaded, beforePrompt, after }: Awaited<ReturnType<typeof openPlanned>>,
  promptBytes = PROMPT_BYTES,
): void {
  for (const { id, weightBytes, stagingBytes, cacheBytes } of devices) {
    const weights = (loaded.get(id) ?? 0) - weightBytes - stagingBytes;
    expect(weights, `weights and staging of ${id}`).toBeGreaterThanOrEqual(0);
    expect(weights, `weights and staging of ${id}`).toBeLessThan(ROUNDING_BYTES);
    const caches = (after.get(id) ?? 0) - (beforePrompt.get(id) ?? 0) - cacheBytes;
    expect(caches, `caches of ${id}`).toBeGreaterThanOrEqual(0);
    expect(caches, `caches of ${id}`).toBeLessThan(promptBytes);
  }
}

describe('the memory of a plan', () => {
  it.each([
    ['everything resident', [40], false],
    ['some streamed', [5], true],
    ['most streamed', [2.5], true],
    ['two GPUs', [4, 3], true],
    ['some streamed, and steps recorded', [5], true, true],
    ['two GPUs, and steps recorded', [4, 3], true, true],
  ])('is what the engine takes: %s', async (_, sizes, streams, canRecord = false) => {
    const budgets = sizes.map((size) => size * MIB);
    const planned = await openPlanned(budgets, { canRecord });
    expect(planned.devices.some(({ stagingBytes }) => stagingBytes > 0)).toBe(streams);
    expectPromised(planned);
  });

  it.each([false, true])(
    'is what the engine takes: a head larger than layers streamed, recorded: %s',
    async (canRecord) => {
      const folder = await mkdtemp(join(tmpdir(), 'blip2-promise-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const config = (await openCheckpoint(DEMO)).config as Record<string, object>;
      const text = { ...config['text_config'], vocab_size: VOCABULARY };
      const from = await randomCheckpoint({ ...config, text_config: text }, join(folder, 'model.safetensors'));
      const planned = await openPlanned([8 * MIB], { canRecord, from });
      const headIsStreamed = planned.placements.some(
        ({ block, execution }) => block.endsWith('head') && execution === 'streamed',
      );
      expect(headIsStreamed).toBe(true);
      expectPromised(planned, PROMPT_BYTES + 4 * VOCABULARY);
    },
  );

  it('has room for what larger pictures hand from block to block, and no less than that room', async () => {
    const engineTook = async (pictureSize?: PictureSize) => {
      const { devices, loaded, beforePrompt } = await openPlanned([40 * MIB], { pictureSize });
      const [{ activationBytes } = { activationBytes: 0 }] = devices;
      return { activationBytes, took: (beforePrompt.get(0) ?? 0) - (loaded.get(0) ?? 0) };
    };
    const own = await engineTook();
    const larger = await engineTook({ height: 280, width: 196 });
    for (const { activationBytes, took } of [own, larger]) expect(took).toBeLessThanOrEqual(activationBytes);
    expect(larger.took).toBeGreaterThan(own.activationBytes);
  });
});
