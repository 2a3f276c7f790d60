/** A program is one run through consecutive blocks; cut by device, it becomes a chain of stages. */
import type { Blip2Config } from '../../model/blip2-config.js';
import { blip2Blocks, type Block } from '../../model/blocks.js';
import { lowerBlock } from './lower-block.js';
import { StageBuilder } from './stage-builder.js';
import type { Weights } from './weights.js';
import { presentWire } from './wires.js';

export interface Program {
  readonly name: 'image' | 'text';
  readonly blocks: readonly Block[];
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
  readonly weightBytes: number;
}

/** `pixel_values` to `language_input`; the last values of `vision` (image embeddings) and `query` can be asked for too. */
export function imageProgram(config: Blip2Config, outputs: readonly string[] = ['language_input']): Program {
  return { name: 'image', blocks: blip2Blocks(config).filter((block) => block.phase === 'image'), outputs };
}

/** `prefix`, ids, positions, mask and the past of every layer to logits and the new past. */
export function textProgram(config: Blip2Config): Program {
  const blocks = blip2Blocks(config).filter((block) => block.phase !== 'image');
  const caches = blocks
    .filter((block) => block.kind === 'opt-layer')
    .flatMap((block) => [presentWire(block.index, 'key'), presentWire(block.index, 'value')]);
  return { name: 'text', blocks, outputs: ['logits', ...caches] };
}

/** Cuts a program into maximal runs of blocks at one place and builds each run's graph. */
export function buildStages<Place>(
  program: Program,
  placeOf: (block: Block) => Place,
  sources: { readonly config: Blip2Config; readonly weights: Weights; readonly folder: string },
): Stage<Place>[] {
  const runs = cutByPlace(program.blocks, placeOf).map(({ place, blocks }) => {
    const builder = new StageBuilder(sources.config, sources.weights, sources.folder);
    for (const block of blocks) lowerBlock(builder, block);
    return { place, blocks, builder };
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
    weightBytes: graph.weightBytes,
  }));
}

function cutByPlace<Place>(
  blocks: readonly Block[],
  placeOf: (block: Block) => Place,
): { place: Place; blocks: Block[] }[] {
  const runs: { place: Place; blocks: Block[] }[] = [];
  for (const block of blocks) {
    const place = placeOf(block);
    const last = runs.at(-1);
    if (last !== undefined && last.place === place) last.blocks.push(block);
    else runs.push({ place, blocks: [block] });
  }
  return runs;
}
