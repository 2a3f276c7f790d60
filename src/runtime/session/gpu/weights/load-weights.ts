/** Puts weights where their units read them: in a device's memory, in the mapped file, or on the way between the two. */
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import { alignedBytes } from '../../../device/memory/alignment.js';
import type { EngineDevice, PlaceOf } from '../device/engine-device.js';
import type { Unit } from '../units/gpu-units.js';
import { MappedWeights } from './mapped-weights.js';
import { ResidentWeights } from './resident-weights.js';
import { Staging } from './staging.js';
import { weightsOf, type UnitWeight } from '../units/unit-weights.js';
import type { WeightFiles } from './weight-files.js';
import type { WeightHome } from './weight-home.js';
import { sizeOf } from '../units/weight.js';
import { WeightLoader } from './weight-loader.js';

export interface DeviceWeights {
  readonly resident: WeightHome;
  /** null where nothing is streamed. */
  readonly staging: Staging | null;
}

interface Needed {
  readonly resident: readonly UnitWeight[];
  readonly streamed: readonly UnitWeight[];
}

export interface LoadedWeights {
  readonly weights: ReadonlyMap<EngineDevice, DeviceWeights>;
  readonly loaders: readonly WeightLoader[];
  /**
   * Brings what stays to its places. Files from which nothing is copied afterwards are unpinned.
   * @throws Blip2Error `OUT_OF_MEMORY`
   */
  readonly fill: () => Promise<void>;
}

/**
 * Takes the memory for weights of every device that units run on. It is `fill`ed before the first run.
 * @throws Blip2Error `OUT_OF_MEMORY`
 */
export function loadWeights(
  units: readonly Unit[],
  files: WeightFiles,
  tensorOf: (name: string) => StoredTensor,
  placeOf: PlaceOf,
): LoadedWeights {
  const devices = [...new Set(units.map((unit) => unit.device))].map((device) => {
    const own = units.filter((unit) => unit.device === device);
    return { device, own, ...needed(own, tensorOf, placeOf) };
  });
  const weights = new Map<EngineDevice, DeviceWeights>();
  const homes: ResidentWeights[] = [];
  const loaders: WeightLoader[] = [];
  for (const { device, own, resident, streamed } of devices) {
    const { memory } = device;
    const named = new Map(resident.map((weight) => [weight.name, weight]));
    if (device.isHost && streamed.length === 0) {
      weights.set(device, { resident: new MappedWeights(memory, files, named), staging: null });
      continue;
    }
    const loader = new WeightLoader(
      memory,
      files,
      device.sessionOptions({ isRecorded: false, roundsFactors: false, sharesArena: false }),
    );
    loaders.push(loader);
    const home = new ResidentWeights(memory, loader, named);
    homes.push(home);
    const largest = stagedBytes(own, streamed);
    const staging = largest === null ? null : new Staging(memory, loader, Staging.halfBytes(...largest));
    staging?.makeRoom(
      own.map(({ blocks }) => streamed.filter(({ block }) => blocks.some(({ name }) => name === block))),
    );
    const turned = streamed.filter(({ transposed }) => transposed).map(sizeOf);
    if (turned.length > 0) loader.reserve(Math.max(...turned));
    weights.set(device, { resident: home, staging });
  }
  const fill = async () => {
    await files.pinned();
    for (const home of homes) home.fill();
    files.unpinAllBut(devices.flatMap(({ streamed }) => tensorsOf(streamed)));
  };
  return { weights, loaders, fill };
}

const tensorsOf = (weights: readonly UnitWeight[]): StoredTensor[] => weights.flatMap(({ tensors }) => tensors);

function needed(units: readonly Unit[], tensorOf: (name: string) => StoredTensor, placeOf: PlaceOf): Needed {
  const all = units.flatMap((unit) => weightsOf(unit, tensorOf));
  const resident = all.filter(({ block }) => placeOf(block).isResident);
  const names = new Set(resident.map(({ name }) => name));
  return { resident, streamed: all.filter(({ name }) => !names.has(name)) };
}

/** Bytes of the largest layer and of the largest unit that are streamed; null where none is. */
function stagedBytes(units: readonly Unit[], streamed: readonly UnitWeight[]): readonly [number, number] | null {
  if (streamed.length === 0) return null;
  const bytes = new Map<string, number>();
  for (const weight of streamed) {
    bytes.set(weight.block, (bytes.get(weight.block) ?? 0) + alignedBytes(sizeOf(weight)));
  }
  const sizes = units.map(({ blocks, isLayer }) => ({
    isLayer,
    bytes: blocks.reduce((sum, { name }) => sum + (bytes.get(name) ?? 0), 0),
  }));
  const layers = sizes.filter(({ isLayer }) => isLayer).map((unit) => unit.bytes);
  return [Math.max(0, ...layers), Math.max(...sizes.map((unit) => unit.bytes))];
}
