/** The streamed weights of a program's units, and the order in which each device is sent them. */
import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { EngineDevice } from '../device/engine-device.js';
import { alignedBytes } from '../../../device/memory/alignment.js';
import { CargoQueue } from '../weights/cargo-queue.js';
import type { DeviceWeights } from '../weights/load-weights.js';
import type { Cargo } from '../weights/staging.js';
import type { Unit } from '../units/gpu-units.js';
import { weightsOf } from '../units/unit-weights.js';
import { sizeOf } from '../units/weight.js';

export interface ProgramWeights {
  readonly units: readonly Unit[];
  readonly tensorOf: (name: string) => StoredTensor;
  readonly weights: ReadonlyMap<EngineDevice, DeviceWeights>;
}

/** Of a device that holds none. */
export const NO_WEIGHTS: DeviceWeights = { resident: { addressOf: () => undefined }, staging: null };

/** Of each unit, what it waits for; null where all it reads stays on its device. */
export function loadCargos({ units, tensorOf, weights }: ProgramWeights): (Cargo | null)[] {
  const next = new Map<EngineDevice, 0 | 1>();
  return units.map((unit): Cargo | null => {
    const { resident, staging } = weights.get(unit.device) ?? NO_WEIGHTS;
    const streamed = weightsOf(unit, tensorOf).filter(({ name }) => resident.addressOf(name) === undefined);
    if (streamed.length === 0 || staging === null) return null;
    const bytes = streamed.reduce((sum, weight) => sum + alignedBytes(sizeOf(weight)), 0);
    const half = next.get(unit.device) ?? 0;
    const halves = staging.halvesFor(bytes, half);
    if (halves.length === 1) next.set(unit.device, half === 0 ? 1 : 0);
    return { halves, weights: streamed };
  });
}

/** Of devices that are sent anything. */
export function cargoQueues({ units, weights }: ProgramWeights, cargos: readonly (Cargo | null)[]) {
  const queues = new Map<EngineDevice, CargoQueue>();
  for (const device of new Set(units.map((unit) => unit.device))) {
    const own = cargos.filter((cargo, index) => cargo !== null && units[index]?.device === device);
    const staging = weights.get(device)?.staging ?? null;
    if (staging === null || own.length === 0) continue;
    queues.set(
      device,
      new CargoQueue(
        staging,
        own.filter((cargo) => cargo !== null),
      ),
    );
  }
  return queues;
}
