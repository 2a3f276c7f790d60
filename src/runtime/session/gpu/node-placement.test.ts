/** Plans against what ONNX Runtime says that it ran: every node with weights on its block's device, no crossing uncounted. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEMO } from '../../../../test/golden/golden.js';
import { openPlanOnHost } from '../../../../test/golden/open-on-host.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Blocks, type BlockKind } from '../../../model/blocks.js';
import { GPU_LAYERS } from '../../graph/gpu/gpu-programs.js';
import { planDeviceMap } from '../../../planner/index.js';
import { generate } from '../../generation/generate.js';
import type { Address, DeviceMemory } from '../../device/memory/device-memory.js';
import { HostMemory } from '../../device/memory/host-memory.js';

const MIB = 2 ** 20;
/** Tables, whose rows the host looks up. */
const TABLES: ReadonlySet<BlockKind> = new Set<BlockKind>(['opt-tokens', 'opt-positions']);

let arrivals = 0;

class CountingMemory extends HostMemory {
  override copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void {
    arrivals++;
    super.copyFrom(source, to, from, bytes);
  }
}

/** Names of the nodes that ran, by the device whose sessions wrote the profiles. */
async function readProfiles(folder: string): Promise<Map<string, Set<string>>> {
  const nodes = new Map<string, Set<string>>();
  for (const file of await readdir(folder)) {
    const [device = ''] = file.split('_');
    const events = JSON.parse(await readFile(join(folder, file), 'utf8')) as { cat: string; name: string }[];
    const names = nodes.get(device) ?? new Set<string>();
    for (const { cat, name } of events) if (cat === 'Node') names.add(name.replace(/_kernel_time$/, ''));
    nodes.set(device, names);
  }
  return nodes;
}

async function runPlan(gpuBytes: readonly number[]) {
  const checkpoint = await openCheckpoint(DEMO);
  const config = parseBlip2Config(checkpoint.config);
  const result = planDeviceMap(checkpoint.tensors, {
    config: checkpoint.config,
    dtype: 'float32',
    budgets: { gpus: new Map(gpuBytes.map((bytes, gpu) => [gpu, bytes])), ramBytes: null, diskBytes: 0 },
  });
  if (result.status === 'infeasible') throw new Error('the demo does not fit');
  const { placements, crossings, workload } = result.plan;
  const folder = await mkdtemp(join(tmpdir(), 'blip2-profiles-'));
  arrivals = 0;
  let sessions = 0;
  {
    const { imageSize, channels } = config.vision;
    const tokens = { minNewTokens: workload.newTokens, maxNewTokens: workload.newTokens };
    await using model = await openPlanOnHost(config, checkpoint.tensors, placements, (id) => ({
      memory: new CountingMemory(),
      // What ONNX Runtime adds is the second: sessions that end in the same one would share a file.
      sessionOptions: () => ({ threads: 1, profile: join(folder, `${id}_${sessions++}`) }),
    }));
    const pixels = new Float32Array(channels * imageSize ** 2).map((_, index) => (index % 251) / 125.5 - 1);
    const prefix = await model.encodeImages(pixels, [1, channels, imageSize, imageSize]);
    const request = { contextIds: [[2]], eosTokenIds: config.text.eosTokenIds };
    await generate(model.tokens({ prefix, textIds: [[2]], textMask: [[1]] }), request, tokens);
  }
  const nodes = await readProfiles(folder);
  await rm(folder, { recursive: true });
  const weighted = blip2Blocks(config).filter(({ kind }) => !TABLES.has(kind));
  const readingLayers = weighted
    .filter(({ kind, index }) => kind === 'qformer-layer' && index % config.qformer.crossAttentionFrequency === 0)
    .map(({ name }) => name);
  return { placements, crossings, nodes, weighted, readingLayers };
}

describe('a plan that runs', () => {
  it.each([
    ['two unequal GPUs and the CPU', [4, 4]],
    ['one GPU and the CPU', [5]],
    ['everything on one GPU', [40]],
    ['three small GPUs', [3, 3, 3]],
  ])('has every block on its device and crosses where it says: %s', async (_, sizes) => {
    const { placements, crossings, nodes, weighted, readingLayers } = await runPlan(sizes.map((size) => size * MIB));
    const streaming = new Set(placements.flatMap((each) => (each.execution === 'streamed' ? [each.runsOn] : [])));
    for (const { block, runsOn } of placements) {
      const kind = weighted.find(({ name }) => name === block)?.kind;
      if (kind === undefined) continue;
      // Where some layers pass through a device, all of them there share the session of one of them, under its name.
      const isShared = streaming.has(runsOn) && GPU_LAYERS.has(kind);
      for (const [device, names] of nodes) {
        const here = [...names].some((name) => name.startsWith(`${block}.`) || name.startsWith(`${block}/`));
        if (!isShared) expect(here, `${block} on ${device}`).toBe(device === String(runsOn));
        else if (here) expect(device, block).toBe(String(runsOn));
      }
    }
    const runs = new Map(placements.map(({ block, runsOn }) => [block, runsOn]));
    // The vision model's rows go to each device that reads them, whatever the queries beside them do.
    const vision = 'vision_model.post_layernorm';
    const readers = new Set(readingLayers.map((block) => runs.get(block)));
    readers.delete(runs.get(vision));
    const computing = new Set(weighted.map(({ name }) => name));
    const between = crossings.filter(
      ({ from, to }) => computing.has(from) && from !== vision && !isHandedOver(from, to),
    );
    expect(arrivals).toBe(between.reduce((sum, { timesPerCall }) => sum + timesPerCall, readers.size));
  });
});

/** From the picture's rows to the prompt's: the host has them in any case. */
const isHandedOver = (from: string, to: string): boolean =>
  from.startsWith('language_projection') && to.startsWith('language_model');
