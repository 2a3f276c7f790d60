/** A program whose units are bound to the memory of their devices: weights stay there or are copied ahead of the unit that reads them. */
import type { Dtype } from '../../../../tensor/dtype.js';
import type { BlockKind } from '../../../../model/blocks.js';
import { wireOfOutput } from '../../../graph/stage-builder.js';
import type { Fence } from '../../../device/memory/device-memory.js';
import { namedOutOfMemory } from '../../../device/memory/out-of-memory.js';
import type { BoundTensor, OrtBinding } from '../../../device/ort/ort-session.js';
import type { CargoQueue } from '../weights/cargo-queue.js';
import type { EngineDevice } from '../device/engine-device.js';
import type { UnitOptions } from '../device/run-options.js';
import type { GpuStage, Unit } from '../units/gpu-units.js';
import type { Cargo } from '../weights/staging.js';
import { weightsOf } from '../units/unit-weights.js';
import { ProgramSessions, type ProgramSessionsParts } from './program-sessions.js';
import { cargoQueues, loadCargos, NO_WEIGHTS, type ProgramWeights } from './program-cargos.js';

/** With a thread for its sessions, `runAside` runs it, beside what other programs run on the device. */
export interface GpuProgramParts extends ProgramWeights, ProgramSessionsParts {
  /** Whether units whose weights stay are to record runs, where their devices can. */
  readonly records: boolean;
}

/** A wire of a unit, and its dtype on the unit's device. */
export interface UnitWire {
  readonly wire: string;
  readonly dtype: Dtype;
  readonly unit: number;
  readonly use: 'input' | 'output';
}

/** A unit that is ready to run. */
export interface BoundUnit {
  readonly binding: OrtBinding;
  readonly options: UnitOptions;
  /** Brings what other devices have made. */
  readonly prepare: () => void;
}

/** Sessions keep what they record until they end: so many shapes that come again are recorded, and what comes after them runs as it did. */
const MOST_RECORDED_AGAIN = 8;

export class GpuProgram implements Disposable {
  readonly #parts: GpuProgramParts;
  readonly #sessions: ProgramSessions;
  readonly #cargos: readonly (Cargo | null)[];
  readonly #queues: ReadonlyMap<EngineDevice, CargoQueue>;
  #fences: readonly Fence[] | undefined;
  #recordedAgain = 0;

  private constructor(parts: GpuProgramParts) {
    this.#parts = parts;
    this.#sessions = new ProgramSessions(parts);
    this.#cargos = loadCargos(parts);
    this.#queues = cargoQueues(parts, this.#cargos);
  }

  /** @throws Blip2Error `OUT_OF_MEMORY`, `ORT_FAILED` */
  static async open(parts: GpuProgramParts): Promise<GpuProgram> {
    const program = new GpuProgram(parts);
    try {
      for (const [index, { stage, device }] of parts.units.entries()) {
        await program.#sessions.open(stage, device, program.records(index));
      }
      return program;
    } catch (error) {
      program[Symbol.dispose]();
      throw error;
    }
  }

  get units(): readonly Unit[] {
    return this.#parts.units;
  }

  /** The devices of the layers of a kind, in their order. */
  devicesOf(kind: BlockKind): EngineDevice[] {
    return this.units.flatMap(({ device, blocks }) => blocks.filter((block) => block.kind === kind).map(() => device));
  }

  /** Whether a unit's session records runs of one shape and replays them. */
  records(unit: number): boolean {
    const { device, stage } = this.#parts.units[unit] ?? {};
    if (stage === undefined || !this.#sessions.mayRecord(stage)) return false;
    return this.#parts.records && device?.canRecord === true && this.#cargos[unit] === null;
  }

  /** Asked once for each shape that is recorded because it came again. */
  mayRecordMore(): boolean {
    const isForTokens = this.units.some(({ device }) => device.recordsTokensOnly === true);
    if (!this.recordsAny || isForTokens || this.#recordedAgain === MOST_RECORDED_AGAIN) return false;
    this.#recordedAgain += 1;
    return true;
  }

  get recordsAny(): boolean {
    return this.units.some((_, unit) => this.records(unit));
  }

  /** @param tensorOf the memory of one unit's wire */
  bind(tensorOf: (wire: UnitWire) => BoundTensor): OrtBinding[] {
    const bindings: OrtBinding[] = [];
    try {
      for (const [index, unit] of this.#parts.units.entries()) bindings.push(this.#bindUnit(unit, index, tensorOf));
      return bindings;
    } catch (error) {
      for (const binding of bindings) binding[Symbol.dispose]();
      throw error;
    }
  }

  #bindUnit(unit: Unit, index: number, tensorOf: (wire: UnitWire) => BoundTensor): OrtBinding {
    const session = this.#sessions.of(unit.stage);
    const named = (wires: ReadonlyMap<string, Dtype>, use: 'input' | 'output') =>
      [...wires].map(([name, dtype]) => {
        const tensor = tensorOf({ wire: wireOfOutput(unit.rename(name)), dtype, unit: index, use });
        return [name, located(unit.device, tensor)] as const;
      });
    const inputs = new Map([...named(unit.stage.inputs, 'input'), ...this.#boundWeights(unit, index)]);
    return session.bind(inputs, new Map(named(unit.stage.outputs, 'output')));
  }

  #boundWeights(unit: Unit, index: number): (readonly [string, BoundTensor])[] {
    const { weights, tensorOf } = this.#parts;
    const { device } = unit;
    const { memory } = device;
    const cargo = this.#cargos[index] ?? null;
    const { resident, staging } = weights.get(device) ?? NO_WEIGHTS;
    const streamed = cargo === null || staging === null ? [] : staging.addressesOf(cargo);
    return weightsOf(unit, tensorOf).map(({ input, name, tensors }) => {
      const [first] = tensors;
      const place = cargo?.weights.findIndex((weight) => weight.tensors[0] === first) ?? -1;
      const address = resident.addressOf(name) ?? streamed[place];
      const type = unit.stage.weights.get(input);
      if (address === undefined || type === undefined) throw new Error(`${name} is neither resident nor streamed`);
      return [input, located(device, { place: memory.place, address, dtype: type.dtype, dims: type.dims })];
    });
  }

  /** @param tensorOf the new memory of a wire; undefined for those that stay where they are */
  rebind(bound: readonly Pick<BoundUnit, 'binding'>[], tensorOf: (wire: string) => BoundTensor | undefined): void {
    for (const [index, { device, stage, rename }] of this.units.entries()) {
      for (const use of ['input', 'output'] as const) {
        for (const name of (use === 'input' ? stage.inputs : stage.outputs).keys()) {
          const tensor = tensorOf(wireOfOutput(rename(name)));
          if (tensor !== undefined) bound[index]?.binding.rebind(use, name, located(device, tensor));
        }
      }
    }
  }

  /**
   * @param together the units in their order, as often as they are bound: each unit runs for all while its weights are there
   * @param repeats whether the same program is likely to run next: its first weights are copied ahead
   */
  run(together: readonly (readonly BoundUnit[])[], repeats = false): void {
    for (const queue of this.#queues.values()) queue.start();
    this.units.forEach(({ device, stage }, index) => {
      const cargo = this.#cargos[index] ?? null;
      const queue = this.#queues.get(device);
      if (cargo !== null) queue?.await(cargo);
      for (const [place, bound] of together.entries()) {
        const unit = bound[index];
        if (unit === undefined) throw new RangeError(`unit ${index} is not bound`);
        unit.prepare();
        // The CPU computes shapes beside WebGPU, and reads their tensors when they are bound.
        if (device.memory.place === 'WebGPU_Buf') unit.binding.bindAgain(wiresOf(stage));
        const { own, followed } = unit.options;
        within(device, () => unit.binding.run(place + 1 < together.length ? followed : own));
      }
      if (cargo !== null) queue?.passed(cargo);
    });
    if (repeats) for (const queue of this.#queues.values()) queue.rewind();
  }

  /** Whether the device of its head lists the greatest logits of each row. */
  get listsLogits(): boolean {
    return this.devicesOf('head').every(({ shortlists }) => shortlists !== undefined);
  }

  /** Whether any of its weights are copied for each run. */
  get streams(): boolean {
    return this.#queues.size > 0;
  }

  /** Whether a device of it has each shape made anew, and takes only whole buffers. */
  get keepsShapes(): boolean {
    return this.units.some(({ device }) => device.keepsShapes === true);
  }

  /** The same in the thread that holds its sessions, where nothing is streamed, after what was copied ahead. Returns when all is done. */
  async runAside(bound: readonly BoundUnit[]): Promise<void> {
    const { thread } = this.#parts;
    if (thread === undefined) throw new Error('a program of this thread');
    for (const fence of this.#besideFences()) {
      fence.afterCopies();
      fence.holdRuns();
    }
    for (const { binding, options, prepare } of bound) {
      prepare();
      await binding.runIn(thread, options.own);
    }
  }

  #besideFences(): readonly Fence[] {
    const memories = new Set(this.units.map(({ device }) => device.memory));
    return (this.#fences ??= [...memories].map((memory) => memory.createFence()));
  }

  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
  }
}

/** Inputs that change between runs; caches stay where they are. */
const wiresOf = ({ inputs }: GpuStage): string[] => [...inputs.keys()].filter((name) => !/^(past|cross)\./.test(name));

/** On the device; says with its numbers when a session finds no memory. */
function within<Result>({ memory }: EngineDevice, work: () => Result): Result {
  memory.enter();
  try {
    return work();
  } catch (error) {
    throw namedOutOfMemory(error, memory);
  }
}

const located = ({ memory }: EngineDevice, tensor: BoundTensor): BoundTensor =>
  tensor.place === memory.place ? memory.locate(tensor) : tensor;
