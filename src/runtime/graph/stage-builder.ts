/**
 * A stage is the graph of some consecutive blocks: what one session runs. A wire that a block reads and no block of the
 * stage has made becomes an input of the graph; a wire that is wanted later becomes an output.
 */
import type { ModelConfig } from '../../model/blip2-config.js';
import { GraphBuilder, type Value } from '../onnx/graph-builder.js';
import { Module } from './module.js';
import type { PictureGrid } from './picture-grid.js';
import type { Weights } from './weights.js';
import { wireType } from './wires.js';

export interface StageSources {
  readonly config: ModelConfig;
  readonly weights: Weights;
  /** The base of external data. */
  readonly folder: string;
  readonly picture: PictureGrid;
}

export class StageBuilder {
  readonly graph: GraphBuilder;
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly picture: PictureGrid;
  readonly #made = new Map<string, Value>();
  readonly #memo = new Map<string, Value>();

  constructor({ config, weights, folder, picture }: StageSources) {
    this.config = config;
    this.weights = weights;
    this.picture = picture;
    this.graph = new GraphBuilder(folder);
  }

  module(path: string): Module {
    return new Module(this, path);
  }

  /** The wire's newest value. */
  use(wire: string): Value {
    let value = this.#made.get(wire);
    if (value === undefined) {
      value = this.graph.input(wire, wireType(this.config, wire));
      this.#made.set(wire, value);
    }
    return value;
  }

  make(wire: string, value: Value): void {
    this.#made.set(wire, value);
  }

  /**
   * Ends the graph: those of the wanted wires that this stage makes become its outputs, and are returned. An output named
   * like an input gets a prime, because names are unique in ONNX.
   */
  finish(wanted: Iterable<string>): string[] {
    const inputs = new Set(this.graph.inputNames);
    const made = [...wanted].filter((wire) => this.#made.has(wire) && this.#made.get(wire) !== wire);
    for (const wire of made) this.graph.output(outputName(wire, inputs), this.use(wire), wireType(this.config, wire));
    return made;
  }

  /** A value that several blocks of the stage need and that is worth one set of nodes only. */
  once(key: string, compute: () => Value): Value {
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    const value = compute();
    this.#memo.set(key, value);
    return value;
  }
}

const outputName = (wire: string, inputs: ReadonlySet<string>) => (inputs.has(wire) ? `${wire}'` : wire);

/** The wire that an output carries. */
export const wireOfOutput = (output: string): string => (output.endsWith("'") ? output.slice(0, -1) : output);
