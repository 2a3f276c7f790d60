/**
 * Runs of one shape through a program: the device memory of its wires, and its bindings. Inputs are uploaded in one piece to
 * each device that reads them, results are downloaded when they are asked for, and what leads from unit to unit stays on its
 * device until a unit on another one reads it.
 */
import { convertFloats } from '../../../../loader/convert/convert-floats.js';
import type { Address, DeviceMemory } from '../../../device/memory/device-memory.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { EngineDevice } from '../device/engine-device.js';
import type { BoundUnit, GpuProgram, UnitWire } from './gpu-program.js';
import type { HostStaging } from './host-staging.js';
import type { LentRoom } from './lent-room.js';
import type { ProgramWires } from './program-wires.js';
import { RunInputs } from './run-inputs.js';
import { RunShortlists } from './run-shortlists.js';
import { UnitOptions, type RunKind } from '../device/run-options.js';
import { WireCrossing } from './wire-crossing.js';
import { wireBytes, type WireType } from './wire-type.js';

/** Writes an input wire's bytes. */
export type FillInput = (wire: string, bytes: Uint8Array) => void;

export interface ProgramRunParts {
  readonly program: GpuProgram;
  /** For inputs and results. */
  readonly staging: HostStaging;
  /** For wires that change their float between two devices. */
  readonly crossingStaging: HostStaging;
  /** Where memory of wires is taken first, as long as there is some. */
  readonly lent?: LentRoom | null;
}

/**
 * Whether units whose sessions record are to record and replay this shape: from the first run, from the second, which shows that it
 * comes again, or not. Recording runs a shape twice more.
 */
export type Recorded = 'at once' | 'again' | 'never';

/** A wire's newest value, on every device that has it. */
type Copies = Map<EngineDevice, BoundTensor>;

export class ProgramRun implements Disposable {
  readonly #parts: ProgramRunParts;
  readonly #wires: ProgramWires;
  readonly #inputs: RunInputs;
  readonly #newest = new Map<string, Copies>();
  /** How many units so far have made a wire. */
  readonly #made = new Map<string, number>();
  readonly #buffers = new Map<EngineDevice, Map<string, BoundTensor>>();
  readonly #owned: { readonly memory: DeviceMemory; readonly address: Address }[] = [];
  readonly #crossings = new Map<number, WireCrossing[]>();
  readonly #devices: ReadonlySet<EngineDevice>;
  readonly #recorded: Recorded;
  #shortlists: RunShortlists | undefined;
  #units: readonly BoundUnit[];
  #count = 0;
  #replays: boolean;

  /** @throws Blip2Error `OUT_OF_MEMORY`; what was allocated is freed */
  constructor(parts: ProgramRunParts, wires: ProgramWires, recorded: Recorded = 'never') {
    const { program } = parts;
    this.#parts = parts;
    this.#wires = wires;
    this.#recorded = recorded;
    this.#replays = recorded === 'at once';
    this.#devices = new Set(program.units.map(({ device }) => device));
    this.#inputs = new RunInputs(program, wires.inputs, parts);
    try {
      const bindings = program.bind((wire) => this.#tensor(wire));
      this.#units = bindings.map((binding, index) => ({
        binding,
        options: this.#optionsOf(index),
        prepare: () => this.#cross(index),
      }));
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  #optionsOf(unit: number): UnitOptions {
    return new UnitOptions(this.#deviceOf(unit).memory, this.#kindOf(unit));
  }

  #kindOf(unit: number): RunKind {
    const { program } = this.#parts;
    if (program.records(unit)) return this.#replays ? 'recorded' : 'unrecorded';
    const { stage } = program.units[unit] ?? {};
    const isLast = program.units.findLastIndex((other) => other.stage === stage) === unit;
    return isLast ? 'awaited' : 'enqueued';
  }

  #deviceOf(unit: number): EngineDevice {
    const device = this.#parts.program.units[unit]?.device;
    if (device === undefined) throw new RangeError(`no unit ${unit}`);
    return device;
  }

  #tensor(given: UnitWire): BoundTensor {
    return this.#wires.kept?.(given.wire) ?? (given.use === 'input' ? this.#read(given) : this.#write(given));
  }

  #read({ wire, dtype, unit }: UnitWire): BoundTensor {
    const device = this.#deviceOf(unit);
    const newest = this.#newest.get(wire);
    if (newest === undefined) return this.#inputs.tensor(wire, device);
    const here = newest.get(device);
    if (here !== undefined) return here;
    const [[maker, made] = []] = newest;
    if (maker === undefined || made === undefined) throw new Error(`nobody makes the wire ${wire}`);
    const copy = this.#buffer(wire, { dtype, dims: made.dims }, device);
    newest.set(device, copy);
    const from = { memory: maker.memory, tensor: made };
    const crossing = new WireCrossing(from, { memory: device.memory, tensor: copy }, this.#parts.crossingStaging);
    this.#crossings.set(unit, [...(this.#crossings.get(unit) ?? []), crossing]);
    return copy;
  }

  #write({ wire, dtype, unit }: UnitWire): BoundTensor {
    const device = this.#deviceOf(unit);
    this.#made.set(wire, (this.#made.get(wire) ?? 0) + 1);
    const tensor = this.#buffer(wire, { dtype, dims: this.#dimsOf(wire, unit) }, device);
    this.#newest.set(wire, new Map([[device, tensor]]));
    return tensor;
  }

  #dimsOf(wire: string, unit: number): readonly number[] {
    const type = this.#wires.chains?.get(wire) ?? this.#wires.results?.get(wire);
    if (type === undefined) throw new Error(`nobody reads the wire ${wire}`);
    return (typeof type === 'function' ? type(this.#parts.program.units[unit]?.blocks ?? []) : type).dims;
  }

  /** Each device has two buffers for a wire, written in turns: a unit never writes what it reads. */
  #buffer(wire: string, { dtype, dims }: WireType, device: EngineDevice): BoundTensor {
    const ofDevice = this.#buffers.get(device) ?? new Map<string, BoundTensor>();
    this.#buffers.set(device, ofDevice);
    const key = `${wire}:${(this.#made.get(wire) ?? 0) % 2}:${dims.join('x')}`;
    const { memory } = device;
    const tensor = ofDevice.get(key) ?? {
      place: memory.place,
      address: this.#allocate(memory, wireBytes({ dtype, dims })),
      dims,
      dtype,
    };
    ofDevice.set(key, tensor);
    return tensor;
  }

  #allocate(memory: DeviceMemory, bytes: number): Address {
    const lent = this.#parts.lent?.take(memory, bytes) ?? null;
    if (lent !== null) return lent;
    const address = memory.allocate(bytes);
    this.#owned.push({ memory, address });
    return address;
  }

  #cross(unit: number): void {
    for (const crossing of this.#crossings.get(unit) ?? []) crossing.run();
  }

  /** Whether it is replayed, where it was recorded. */
  get replays(): boolean {
    return this.#replays;
  }

  /** Binds memory of the caller that lies elsewhere now. Not for what is recorded: it is replayed where it was. */
  bindKept(): void {
    const { kept } = this.#wires;
    if (kept !== undefined) this.#parts.program.rebind(this.#units, kept);
  }

  /** @param repeats whether the same program is likely to run next */
  run(fill: FillInput, repeats = false): void {
    this.#begin(fill);
    this.#parts.program.run([this.#units], repeats);
  }

  #begin(fill: FillInput): void {
    this.#inputs.upload(fill);
    this.#count += 1;
    if (this.#recorded !== 'again' || this.#count !== 2 || !this.#parts.program.mayRecordMore()) return;
    this.#replays = true;
    this.#units = this.#units.map((unit, index) => {
      if (!this.#parts.program.records(index)) return unit;
      unit.options[Symbol.dispose]();
      return { ...unit, options: this.#optionsOf(index) };
    });
  }

  /** Runs of one program, each with memory of its own, that share every copy of streamed weights. */
  static runTogether(runs: readonly (readonly [ProgramRun, FillInput])[]): void {
    for (const [run, fill] of runs) run.#begin(fill);
    const [first] = runs;
    if (first !== undefined) first[0].#parts.program.run(runs.map(([run]) => run.#units));
  }

  /** The same in another thread, where the program runs aside; inputs are copied beside the runs before. */
  async runAside(fill: FillInput): Promise<void> {
    this.#inputs.upload(fill, true);
    await this.#parts.program.runAside(this.#units);
  }

  /**
   * A result of the last run, good until the next use of the staging.
   * @param beside whether other runs of the device are not to be waited for
   */
  read(wire: string, beside = false): Uint8Array {
    const { staging } = this.#parts;
    const { type, device, tensor } = this.#result(wire);
    const bytes = wireBytes(tensor);
    const buffer = staging.forDownload(bytes);
    if (beside) device.memory.downloadBeside(buffer.address, tensor.address, bytes);
    else device.memory.download(buffer.address, tensor.address, bytes);
    const read = buffer.bytes.subarray(0, bytes);
    if (tensor.dtype === type.dtype) return read;
    const converted = new Uint8Array(wireBytes(type));
    convertFloats(read, tensor.dtype, converted, type.dtype);
    return converted;
  }

  /**
   * The shortlists of logits of the last run, where their device makes any; good until the next use of the staging.
   * @param divisor of logits in their sums
   */
  readShortlists(divisor: number): Uint8Array {
    const { device, tensor } = this.#result('logits');
    return (this.#shortlists ??= new RunShortlists(device, tensor)).read(this.#parts.staging, divisor);
  }

  #result(wire: string) {
    const type = this.#wires.results?.get(wire);
    const [[device, tensor] = []] = this.#newest.get(wire) ?? [];
    if (type === undefined || device === undefined || tensor === undefined) {
      throw new Error(`the program makes no ${wire}`);
    }
    return { type, device, tensor };
  }

  [Symbol.dispose](): void {
    for (const device of this.#devices) device.memory.synchronize();
    for (const { binding, options } of this.#units) {
      binding[Symbol.dispose]();
      options[Symbol.dispose]();
    }
    this.#free();
  }

  #free(): void {
    for (const { memory, address } of this.#owned.splice(0)) memory.free(address);
    this.#shortlists?.[Symbol.dispose]();
    this.#inputs[Symbol.dispose]();
  }
}
