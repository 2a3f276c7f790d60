/**
 * A program for a GPU as units, each one run of a session. Where every weight stays on the device, one unit is the whole
 * program. Where some pass through, each layer is a unit of its own and all layers that look alike share one session.
 */
import type { Block, BlockKind } from '../../../model/blocks.js';
import type { Step } from '../../graph/program.js';
import { StageBuilder, wireOfOutput, type StageSources, type WeightInput } from '../../graph/stage-builder.js';

export interface GpuStage {
  readonly model: Uint8Array;
  /** Wires that it reads, and names of its outputs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** By graph input, with the block that each belongs to. */
  readonly weights: ReadonlyMap<string, WeightInput & { readonly block: string }>;
}

export interface Unit {
  readonly stage: GpuStage;
  readonly blocks: readonly Block[];
  /** Names of this unit for what the stage, which may be a twin's, calls by other names. */
  readonly rename: (name: string) => string;
}

/** Layers of a kind differ in nothing but their weights. */
const TWINS: ReadonlySet<BlockKind> = new Set<BlockKind>(['vision-layer', 'opt-layer']);

/**
 * @param outputs wires that the caller reads
 * @param whole whether all weights stay on the device
 */
export function gpuUnits(
  steps: readonly Step[],
  sources: StageSources,
  { outputs, whole }: { readonly outputs: (blocks: readonly Block[]) => readonly string[]; readonly whole: boolean },
): Unit[] {
  const stages = new Map<BlockKind, { stage: GpuStage; first: Block }>();
  return (whole ? [steps] : cutByTwins(steps)).map((part, index, parts): Unit => {
    const blocks = part.map(({ block }) => block);
    const wanted = [...outputs(blocks), ...(index < parts.length - 1 ? CHAINS : [])];
    const [block] = blocks;
    if (block === undefined || part.length > 1 || !TWINS.has(block.kind)) {
      return { stage: buildStage(part, sources, wanted), blocks, rename: (name) => name };
    }
    const known = stages.get(block.kind) ?? { stage: buildStage(part, sources, wanted), first: block };
    stages.set(block.kind, known);
    return { stage: known.stage, blocks, rename: renaming(known.first, block) };
  });
}

/** Wires that lead from one unit to the next. */
export const CHAINS = ['patches', 'hidden'] as const;

function buildStage(steps: readonly Step[], sources: StageSources, wanted: readonly string[]): GpuStage {
  const builder = new StageBuilder(sources);
  const weights = new Map<string, WeightInput & { block: string }>();
  for (const { block, lower } of steps) {
    lower(builder, block);
    for (const [input, weight] of builder.weightInputs) {
      if (!weights.has(input)) weights.set(input, { ...weight, block: block.name });
    }
  }
  builder.finish(wanted);
  const { inputNames, outputNames } = builder.graph;
  return {
    model: builder.graph.toModel(),
    inputs: inputNames.filter((name) => !weights.has(name)),
    outputs: outputNames,
    weights,
  };
}

function cutByTwins(steps: readonly Step[]): Step[][] {
  const parts: Step[][] = [];
  let open = false;
  for (const step of steps) {
    const alone = TWINS.has(step.block.kind);
    const last = parts.at(-1);
    if (last !== undefined && open && !alone) last.push(step);
    else parts.push([step]);
    open = !alone;
  }
  return parts;
}

/** From the names of one layer to those of another: weights by module path, caches by number. */
function renaming(first: Block, block: Block): (name: string) => string {
  return (name) => {
    if (name.startsWith(`${first.name}.`)) return `${block.name}${name.slice(first.name.length)}`;
    return wireOfOutput(name).replace(/^(past|present)\.\d+\./, `$1.${block.index}.`);
  };
}
