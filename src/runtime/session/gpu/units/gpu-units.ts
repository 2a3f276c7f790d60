/**
 * A program as units, each one run of a session on one device. Where a device keeps the weights of all its blocks, a unit
 * is every block up to the next device. Where some pass through, each layer is a unit of its own, and layers that differ in
 * nothing but the bytes of their weights share one session. Of a program that is recorded, what stays between two that pass
 * is one unit: the host takes longer to ask for a layer than a GPU for a row of it.
 */
import type { Dtype } from '../../../../tensor/dtype.js';
import type { Block, BlockKind } from '../../../../model/blocks.js';
import { GPU_LAYERS } from '../../../graph/gpu/gpu-programs.js';
import type { Step } from '../../../graph/program.js';
import { StageBuilder, wireOfOutput, type StageSources, type WeightInput } from '../../../graph/stage-builder.js';
import type { EngineDevice, PlaceOf } from '../device/engine-device.js';

export interface GpuStage {
  /** Encodes the graph, of which one is asked for where there are twins. */
  readonly model: () => Uint8Array;
  /** Wires that it reads, and names of its outputs, with their dtypes on its device. */
  readonly inputs: ReadonlyMap<string, Dtype>;
  readonly outputs: ReadonlyMap<string, Dtype>;
  /** By graph input, with the block that each belongs to. */
  readonly weights: ReadonlyMap<string, StageWeight>;
}

type StageWeight = WeightInput & { readonly block: string };

export interface Unit {
  readonly device: EngineDevice;
  readonly stage: GpuStage;
  readonly blocks: readonly Block[];
  /** Whether it is a layer, of which the next may be on its way while it runs. */
  readonly isLayer: boolean;
  /** Names of this unit for what the stage, which may be a twin's, calls by other names. */
  readonly rename: (name: string) => string;
}

interface Part {
  readonly device: EngineDevice;
  readonly steps: Step[];
  /** Whether its weights stay where they are. */
  readonly isResident: boolean;
  /** The layer that it is, where it is nothing else. */
  readonly layer: Block | null;
}

/**
 * @param outputs wires that the caller reads
 * @param layers kinds of blocks that are units of their own where some pass through
 * @param isRecorded whether devices that can are to record its runs
 */
export function gpuUnits(
  steps: readonly Step[],
  sources: Omit<StageSources, 'style'>,
  placeOf: PlaceOf,
  outputs: Iterable<string>,
  layers: ReadonlySet<BlockKind> = GPU_LAYERS,
  isRecorded = false,
): Unit[] {
  const needed = new Set(outputs);
  const twins = new Map<EngineDevice, Map<string, { stage: GpuStage; layer: Block }>>();
  const build = (part: Part): Unit => {
    const { device, layer } = part;
    const blocks = part.steps.map(({ block }) => block);
    const { stage, made } = buildStage(part, sources, needed);
    for (const wire of made) needed.delete(wire);
    for (const wire of stage.inputs.keys()) needed.add(wire);
    if (layer === null) return { device, stage, blocks, isLayer: false, rename: (name) => name };
    const ofDevice = twins.get(device) ?? new Map<string, { stage: GpuStage; layer: Block }>();
    twins.set(device, ofDevice);
    const key = looks(stage, layer);
    const twin = ofDevice.get(key) ?? { stage, layer };
    ofDevice.set(key, twin);
    return { device, stage: twin.stage, blocks, isLayer: true, rename: renaming(twin.layer, layer) };
  };
  const last = cutIntoParts(steps, placeOf, layers, isRecorded).toReversed().map(build);
  return last.toReversed();
}

function cutIntoParts(
  steps: readonly Step[],
  placeOf: PlaceOf,
  layers: ReadonlySet<BlockKind>,
  isRecorded: boolean,
): Part[] {
  const places = steps.map(({ block }) => placeOf(block.name));
  const streaming = new Set(places.filter(({ isResident }) => !isResident).map(({ device }) => device));
  const parts: Part[] = [];
  for (const step of steps) {
    const { device, isResident } = placeOf(step.block.name);
    const recordsStretches = isRecorded && device.canRecord;
    const isApart = streaming.has(device) && layers.has(step.block.kind) && !(recordsStretches && isResident);
    const layer = isApart ? step.block : null;
    const last = parts.at(-1);
    const goesOn = last?.device === device && last.layer === null && layer === null;
    if (goesOn && (!recordsStretches || last.isResident === isResident)) last.steps.push(step);
    else parts.push({ device, steps: [step], isResident, layer });
  }
  return parts;
}

function buildStage({ steps, device }: Part, sources: Omit<StageSources, 'style'>, needed: ReadonlySet<string>) {
  const builder = new StageBuilder({ ...sources, style: device.style });
  const weights = new Map<string, StageWeight>();
  for (const { block, lower } of steps) {
    lower(builder, block);
    for (const [input, weight] of builder.weightInputs) {
      if (!weights.has(input)) weights.set(input, { ...weight, block: block.name });
    }
  }
  const made = builder.finish(needed);
  const { inputNames, outputNames } = builder.graph;
  const typed = (names: readonly string[]) =>
    new Map(names.map((name) => [name, device.style.wireType(sources.config, wireOfOutput(name)).dtype] as const));
  const stage: GpuStage = {
    model: () => builder.graph.toModel(),
    inputs: typed(inputNames.filter((name) => !weights.has(name))),
    outputs: typed(outputNames),
    weights,
  };
  return { stage, made };
}

/** What has to be the same for two layers to share a session. */
function looks({ inputs, outputs, weights }: GpuStage, layer: Block): string {
  const rename = renaming(layer, { ...layer, name: layer.kind, index: 0 });
  const wires = [...inputs, ...outputs].map(([name, dtype]) => [rename(name), dtype]);
  const tensors = [...weights].map(([name, { dtype, dims, tensors: parts }]) => [
    rename(name),
    dtype,
    dims,
    parts.length,
  ]);
  // The Q-Former's first layer has the same queries for all pictures.
  const isFirst = layer.kind === 'qformer-layer' && layer.index === 0;
  return JSON.stringify([layer.kind, isFirst, wires, tensors]);
}

/** From the names of one layer to those of another: weights by module path, caches by number. */
function renaming(first: Block, block: Block): (name: string) => string {
  return (name) => {
    if (name.startsWith(`${first.name}.`)) return `${block.name}${name.slice(first.name.length)}`;
    return wireOfOutput(name).replace(/^(past|present|cross)\.\d+\./, `$1.${block.index}.`);
  };
}
