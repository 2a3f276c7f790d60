/** A program is one run through consecutive blocks; cut by device, it becomes a chain of stages. */
import { blip2Blocks, type Block, type BlockKind } from '../../model/blocks.js';
import type { ModelConfig } from '../../model/blip2-config.js';
import { StageBuilder, type StageSources } from './stage-builder.js';

/** Appends the nodes of one block to a stage. */
export type Lowering = (stage: StageBuilder, block: Block) => void;

/** What lowers a block of each kind that takes part in a program. */
export type Lowerings = Partial<Record<BlockKind, Lowering>>;

export interface Step {
  readonly block: Block;
  readonly lower: Lowering;
}

export interface Program {
  readonly steps: readonly Step[];
  /** Wires that the caller reads. */
  readonly outputs: readonly string[];
}

/** The blocks of a model that take part, in the order of their runs. */
export function stepsOf(config: ModelConfig, lowerings: Lowerings): Step[] {
  return blip2Blocks(config).flatMap((block) => {
    const lower = lowerings[block.kind];
    return lower === undefined ? [] : [{ block, lower }];
  });
}

export interface Stage<Place> {
  readonly place: Place;
  /** Whether its linear weights are quantised: all of them are, or none. */
  readonly quantized: boolean;
  /** The encoded ONNX model; its weights are external, relative to the folder given to `buildStages`. */
  readonly model: Uint8Array;
  readonly inputs: readonly string[];
  /** Output names; `wireOfOutput` gives the wire. */
  readonly outputs: readonly string[];
}

/**
 * Cuts a program into maximal runs of blocks at one place and builds each run's graph. Blocks with quantised weights and
 * blocks without do not share one: sessions treat their weights differently.
 */
export function buildStages<Place>(
  program: Program,
  placeOf: (block: Block) => Place,
  sources: StageSources,
): Stage<Place>[] {
  const { weights } = sources;
  const cut = cutIntoRuns(program.steps, (block) => ({
    place: placeOf(block),
    quantized: weights.quantizes(block.name),
  }));
  const runs = cut.map(({ steps, ...kind }) => {
    const builder = new StageBuilder(sources);
    for (const { block, lower } of steps) lower(builder, block);
    return { ...kind, builder };
  });
  const needed = new Set(program.outputs);
  for (const { builder } of runs.toReversed()) {
    for (const wire of builder.finish(needed)) needed.delete(wire);
    for (const wire of builder.graph.inputNames) needed.add(wire);
  }
  return runs.map(({ builder: { graph }, ...run }) => ({
    ...run,
    model: graph.toModel(),
    inputs: graph.inputNames,
    outputs: graph.outputNames,
  }));
}

interface Run<Place> {
  readonly place: Place;
  readonly quantized: boolean;
  readonly steps: Step[];
}

function cutIntoRuns<Place>(steps: readonly Step[], kindOf: (block: Block) => Omit<Run<Place>, 'steps'>): Run<Place>[] {
  const runs: Run<Place>[] = [];
  for (const step of steps) {
    const kind = kindOf(step.block);
    const last = runs.at(-1);
    if (last?.place === kind.place && last.quantized === kind.quantized) last.steps.push(step);
    else runs.push({ ...kind, steps: [step] });
  }
  return runs;
}
