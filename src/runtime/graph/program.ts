/** A program is one run through consecutive blocks; cut by device, it becomes a chain of stages. */
import type { Block } from '../../model/blocks.js';
import { StageBuilder, type StageSources } from './stage-builder.js';

/** Appends the nodes of one block to a stage. */
export type Lowering = (stage: StageBuilder, block: Block) => void;

export interface Step {
  readonly block: Block;
  readonly lower: Lowering;
}

export interface Program {
  readonly steps: readonly Step[];
  /** Wires that the caller reads. */
  readonly outputs: readonly string[];
}

export interface Stage<Place> {
  readonly place: Place;
  /** The encoded ONNX model; its weights are external, relative to the folder given to `buildStages`. */
  readonly model: Uint8Array;
  readonly inputs: readonly string[];
  /** Output names; `wireOfOutput` gives the wire. */
  readonly outputs: readonly string[];
  readonly blocks: readonly Block[];
}

/** Cuts a program into maximal runs of blocks at one place and builds each run's graph. */
export function buildStages<Place>(
  program: Program,
  placeOf: (block: Block) => Place,
  sources: StageSources,
): Stage<Place>[] {
  const runs = cutByPlace(program.steps, placeOf).map(({ place, steps }) => {
    const builder = new StageBuilder(sources);
    for (const { block, lower } of steps) lower(builder, block);
    return { place, blocks: steps.map((step) => step.block), builder };
  });
  const needed = new Set(program.outputs);
  for (const { builder } of runs.toReversed()) {
    for (const wire of builder.finish(needed)) needed.delete(wire);
    for (const wire of builder.graph.inputNames) needed.add(wire);
  }
  return runs.map(({ place, blocks, builder: { graph } }) => ({
    place,
    blocks,
    model: graph.toModel(),
    inputs: graph.inputNames,
    outputs: graph.outputNames,
  }));
}

function cutByPlace<Place>(
  steps: readonly Step[],
  placeOf: (block: Block) => Place,
): { place: Place; steps: Step[] }[] {
  const runs: { place: Place; steps: Step[] }[] = [];
  for (const step of steps) {
    const place = placeOf(step.block);
    const last = runs.at(-1);
    if (last !== undefined && last.place === place) last.steps.push(step);
    else runs.push({ place, steps: [step] });
  }
  return runs;
}
