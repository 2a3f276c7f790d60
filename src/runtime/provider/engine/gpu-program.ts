/** A program whose units are bound to device memory: its weights stay there or are copied ahead of the unit that reads them. */
import type { StoredTensor } from '../../../loader/checkpoint/checkpoint.js';
import { wireOfOutput } from '../../graph/stage-builder.js';
import type { DeviceMemory } from '../memory/device-memory.js';
import {
  OrtSession,
  type RunOptions,
  type BoundTensor,
  type OrtBinding,
  type OrtSessionOptions,
} from '../ort/ort-session.js';
import { alignedBytes } from '../memory/alignment.js';
import type { GpuStage, Unit } from './gpu-units.js';
import type { ResidentWeights } from './resident-weights.js';
import type { Cargo, Staging } from './staging.js';
import { sizeOf, type Weight } from './weight-loader.js';

/** A unit's weight: its graph input, and the tensors that fill it. */
export interface UnitWeight extends Weight {
  readonly input: string;
  /** As in the checkpoint, or of the joined tensors: the same in all programs. */
  readonly name: string;
  readonly block: string;
}

export function weightsOf(unit: Unit, tensorOf: (name: string) => StoredTensor): UnitWeight[] {
  return [...unit.stage.weights].map(([input, { tensors, block, transposed }]) => ({
    input,
    name: unit.rename(input),
    block: unit.rename(`${block}.`).slice(0, -1),
    tensors: tensors.map((tensor) => tensorOf(unit.rename(tensor))),
    transposed,
  }));
}

export interface GpuProgramParts {
  readonly units: readonly Unit[];
  readonly tensorOf: (name: string) => StoredTensor;
  readonly memory: DeviceMemory;
  readonly resident: ResidentWeights;
  /** null where nothing is streamed. */
  readonly staging: Staging | null;
  readonly session: OrtSessionOptions;
}

/** The bound tensors of one unit's wires. */
export type WireOf = (wire: string, unit: number, use: 'input' | 'output') => BoundTensor;

export class GpuProgram implements Disposable {
  readonly #parts: GpuProgramParts;
  readonly #sessions = new Map<GpuStage, OrtSession>();
  readonly #cargos: readonly (Cargo | null)[];

  constructor(parts: GpuProgramParts) {
    this.#parts = parts;
    this.#cargos = loadCargos(parts);
    try {
      for (const { stage } of parts.units) {
        if (!this.#sessions.has(stage)) this.#sessions.set(stage, new OrtSession(stage.model, parts.session));
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Whether the whole program is one run of one session. */
  get isWhole(): boolean {
    return this.#parts.units.length === 1 && this.#cargos[0] === null;
  }

  bind(wireOf: WireOf): OrtBinding[] {
    return this.#parts.units.map((unit, index) => {
      const session = this.#sessions.get(unit.stage);
      if (session === undefined) throw new Error('a unit without a session');
      const named = (names: readonly string[], use: 'input' | 'output') =>
        names.map((name) => [name, this.#located(wireOf(wireOfOutput(unit.rename(name)), index, use))] as const);
      const inputs = new Map([...named(unit.stage.inputs, 'input'), ...this.#boundWeights(unit, index)]);
      return session.bind(inputs, new Map(named(unit.stage.outputs, 'output')));
    });
  }

  #boundWeights(unit: Unit, index: number): (readonly [string, BoundTensor])[] {
    const { memory, resident, staging, tensorOf } = this.#parts;
    const cargo = this.#cargos[index] ?? null;
    const streamed = cargo === null || staging === null ? [] : staging.addressesOf(cargo);
    return weightsOf(unit, tensorOf).map(({ input, name, tensors }) => {
      const [first] = tensors;
      const place = cargo?.weights.findIndex((weight) => weight.tensors[0] === first) ?? -1;
      const address = resident.addressOf(name) ?? streamed[place];
      const type = unit.stage.weights.get(input);
      if (address === undefined || type === undefined) throw new Error(`${name} is neither resident nor streamed`);
      return [input, this.#located({ place: memory.place, address, dtype: type.dtype, dims: type.dims })];
    });
  }

  #located(tensor: BoundTensor): BoundTensor {
    const { memory } = this.#parts;
    return tensor.place === memory.place ? memory.locate(tensor) : tensor;
  }

  /**
   * @param repeats whether the same program is likely to run next: its first weights are copied ahead
   */
  run(bindings: readonly OrtBinding[], options: RunOptions, repeats = false): void {
    const { staging } = this.#parts;
    const cargos = this.#cargos.filter((cargo) => cargo !== null);
    if (staging === null || cargos.length === 0) {
      for (const binding of bindings) binding.run(options);
      return;
    }
    let next = staging.holds(cargos[0]) ? cargos.findIndex((cargo) => !staging.holds(cargo)) : 0;
    if (next === 0) staging.clear();
    if (next === -1) next = cargos.length;
    const fill = () => {
      for (let cargo = cargos[next]; cargo !== undefined && staging.fill(cargo); cargo = cargos[next]) next++;
    };
    fill();
    bindings.forEach((binding, index) => {
      const cargo = this.#cargos[index] ?? null;
      if (cargo !== null) staging.await(cargo);
      binding.run(options);
      if (cargo !== null) staging.drain(cargo);
      fill();
    });
    if (repeats) {
      next = 0;
      fill();
    }
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
    this.#sessions.clear();
  }
}

function loadCargos({ units, tensorOf, resident, staging }: GpuProgramParts): (Cargo | null)[] {
  let next: 0 | 1 = 0;
  return units.map((unit): Cargo | null => {
    const streamed = weightsOf(unit, tensorOf).filter(({ name }) => resident.addressOf(name) === undefined);
    if (streamed.length === 0 || staging === null) return null;
    const bytes = streamed.reduce((sum, weight) => sum + alignedBytes(sizeOf(weight)), 0);
    const halves = staging.halvesFor(bytes, next);
    if (halves.length === 1) next = next === 0 ? 1 : 0;
    return { bytes, halves, weights: streamed };
  });
}
