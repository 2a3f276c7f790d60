/** Models over several devices, each a memory of its own: the answers of one device, and each wire carried once per cut. */
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  CHECKPOINTS,
  floats,
  GOLDENS,
  maxDifference,
  readRecording,
  tensorOf,
  wordsOf,
} from '../../../../test/golden/golden.js';
import { openOnHost } from '../../../../test/golden/open-on-host.js';
import { recordedGeneration } from '../../../../test/golden/recorded-generation.js';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { blip2Blocks } from '../../../model/blocks.js';
import { generate } from '../../generation/generate.js';
import { imageProgram } from '../../graph/blip2-programs.js';
import { buildStages } from '../../graph/program.js';
import { pictureGrid } from '../../graph/picture-grid.js';
import { Weights } from '../../graph/weights.js';
import type { Address, DeviceMemory, HostRange } from '../../device/memory/device-memory.js';
import { HostMemory } from '../../device/memory/host-memory.js';
import { OrtBinding, OrtSession } from '../../device/ort/ort-session.js';

class CountingMemory extends HostMemory {
  arrivals = 0;
  readonly #ends = new Map<Address, Address>();

  override allocate(bytes: number): Address {
    const address = super.allocate(bytes);
    this.#ends.set(address, address + BigInt(bytes));
    return address;
  }

  holds(address: Address): boolean {
    return [...this.#ends].some(([start, end]) => start <= address && address < end);
  }

  // Copies enter as well: the driver wants their device to be current.

  override uploadParts(to: Address, parts: readonly HostRange[]): void {
    this.enter();
    super.uploadParts(to, parts);
  }

  override copyFrom(source: DeviceMemory, to: Address, from: Address, bytes: number): void {
    this.enter();
    this.arrivals++;
    super.copyFrom(source, to, from, bytes);
  }
}

async function readModel(name: string) {
  const checkpoint = await openCheckpoint(join(GOLDENS, name));
  const config = parseBlip2Config(checkpoint.config);
  const recording = await readRecording(name, 'batch');
  const blocks = blip2Blocks(config).map((block) => block.name);
  return { tensors: checkpoint.tensors, config, recording, blocks };
}

async function run(
  name: string,
  deviceOf: (block: number) => number,
  isResident: (block: string) => boolean = () => true,
) {
  const { tensors, config, recording, blocks } = await readModel(name);
  const memories = new Map<number | 'cpu', CountingMemory>();
  const memory = (device: number | 'cpu') => {
    const made = memories.get(device) ?? new CountingMemory();
    memories.set(device, made);
    return { memory: made };
  };
  const arrivals = () => [...memories.values()].reduce((sum, each) => sum + each.arrivals, 0);
  await using model = await openOnHost(config, tensors, isResident, {
    device: memory,
    deviceOf: (block) => deviceOf(blocks.indexOf(block)),
  });
  const { prompt, request, settings } = recordedGeneration(config, recording);
  const pixels = tensorOf(recording.tensors, 'pixel_values');
  const prefix = await model.encodeImages(floats(pixels), pixels.dims, wordsOf(recording));
  expect(maxDifference(floats(prefix), floats(prompt.prefix))).toBeLessThan(1e-4);
  const ofImage = arrivals();
  const [greedy, ...others] = settings;
  if (greedy === undefined) throw new Error(`${name} has no recorded answers`);
  const source = model.tokens({ ...prompt, prefix });
  const ids = async (tokens: typeof source, options: object) => {
    const sequences = await generate(tokens, request, options);
    return sequences.map(([first]) => first?.ids);
  };
  expect(await ids(source, greedy.options)).toEqual(greedy.ids);
  const steps = Math.max(...greedy.ids.map((row) => row.length));
  const ofTokens = arrivals() - ofImage;
  for (const { options, ids: expected } of others.slice(0, 1)) {
    expect(await ids(model.tokens({ ...prompt, prefix }), options)).toEqual(expected);
  }
  return { ofImage, ofTokens, steps };
}

/** The wires that two sessions on the CPU would hand over where the image program is cut. */
async function wiresOfCut(name: string, cut: number): Promise<number> {
  const { tensors, config, blocks } = await readModel(name);
  const picture = await pictureGrid(config.vision, undefined, () => Promise.reject(new Error('no other size')));
  const sources = { config, weights: new Weights(config, tensors), folder: GOLDENS, picture };
  const stages = buildStages(imageProgram(config), ({ name: block }) => blocks.indexOf(block) >= cut, sources);
  return (stages[1]?.inputs ?? []).filter((wire) => !['pixel_values', 'word_ids', 'word_bias'].includes(wire)).length;
}

describe('two devices', () => {
  it.each(['tiny-opt', 'tiny-instructblip-t5'])('give the answers of one at every cut of %s', async (name) => {
    const { blocks } = await readModel(name);
    const first = (pattern: RegExp) => blocks.findIndex((block) => pattern.test(block));
    const image = first(/^language_model/);
    const token = first(/decoder\.(layers|block)\.0$/);
    const encoder = first(/encoder\.block\.0$/);
    const norm = first(/decoder\.final_layer_norm$/);
    for (let cut = 1; cut < blocks.length; cut++) {
      const { ofImage, ofTokens, steps } = await run(name, (block) => (block < cut ? 0 : 1));
      expect(ofImage, blocks[cut]).toBe(cut < image ? await wiresOfCut(name, cut) : 0);
      // Between T5's encoder and the last of the layers that read what it made, the prompt crosses too.
      const ofPrompt = encoder >= 0 && cut > encoder && cut < norm ? 1 : 0;
      expect(ofTokens, blocks[cut]).toBe(ofPrompt + (cut > token ? steps : 0));
    }
  });

  it.each(CHECKPOINTS)('take turns in %s, resident and streamed', async (name) => {
    await run(name, (block) => block % 2);
    await run(
      name,
      (block) => Math.floor(block / 3) % 3,
      (block) => /[02]$/.test(block),
    );
  });

  it('are entered before each run, whatever was copied to others meanwhile', async () => {
    const enters = vi.spyOn(CountingMemory.prototype, 'enter');
    const runs = vi.spyOn(OrtBinding.prototype, 'run');
    const binds = vi.spyOn(OrtSession.prototype, 'bind');
    await run(
      'tiny-opt',
      (block) => block % 2,
      (block) => /[02]$/.test(block),
    );
    const places = new Map(
      binds.mock.results.map(({ value }, bind) => [value, [...(binds.mock.calls[bind]?.[1].values() ?? [])]]),
    );
    expect(runs.mock.contexts.length).toBeGreaterThan(50);
    for (const [index, binding] of runs.mock.contexts.entries()) {
      const order = runs.mock.invocationCallOrder[index] ?? 0;
      const last = enters.mock.invocationCallOrder.findLastIndex((earlier) => earlier < order);
      const [output] = places.get(binding) ?? [];
      const entered = enters.mock.contexts[last];
      expect(entered instanceof CountingMemory && entered.holds(output?.address ?? 0n)).toBe(true);
    }
    vi.restoreAllMocks();
  });
});
