/** Every device's memory under a placement, adding up to its budget. */
import type { Device } from '../../map/device-map.js';
import { gpuAt } from '../../price/device-profile.js';
import type { Place } from '../../price/place.js';
import { chargesOf, type Charge } from '../../price/memory.js';
import { placeAt } from './plan-cost.js';
import type { PlanContext } from '../request/prepare-plan.js';
import type { DeviceMemory } from './plan-document.js';

const NOTHING_TAKEN = { turnsBytes: 0, overheadBytes: 0, reserveBytes: 0 } as const;

/** @param choice a place for every block of the profile */
export function memoryTable(context: PlanContext, choice: readonly Place[]): DeviceMemory[] {
  const { profile, budgets, machine } = context;
  const charges = profile.blocks.flatMap((block, i) => chargesOf(block, placeAt(choice, i), profile.engine));
  const gpuIds = [...budgets.gpus.keys()].sort((a, b) => a - b);
  const row = (
    id: Device,
    name: string,
    budgetBytes: number | null,
    taken: { readonly turnsBytes: number; readonly overheadBytes: number; readonly reserveBytes: number },
  ): DeviceMemory => {
    const own = charges.filter((charge) => charge.device === id);
    const sum = (field: keyof Omit<Charge, 'device'>) => own.reduce((total, charge) => total + charge[field], 0);
    const top = own.reduce<Charge | null>(
      (most, charge) =>
        most === null || charge.activationBytes + charge.stagingBytes > most.activationBytes + most.stagingBytes
          ? charge
          : most,
      null,
    );
    const used = {
      weightBytes: sum('weightBytes'),
      conversionBytes: sum('conversionBytes'),
      cacheBytes: sum('cacheBytes') + taken.turnsBytes,
      bufferBytes: sum('bufferBytes'),
      activationBytes: top?.activationBytes ?? 0,
      stagingBytes: top?.stagingBytes ?? 0,
      overheadBytes: taken.overheadBytes,
      reserveBytes: taken.reserveBytes,
    };
    const total = Object.values(used).reduce((a, b) => a + b, 0);
    return { id, name, budgetBytes, ...used, freeBytes: budgetBytes === null ? null : budgetBytes - total };
  };
  return [
    ...gpuIds.map((id, i) => {
      const budget = budgets.gpus.get(id) ?? 0;
      const overhead = Math.min(budget, context.overheads.get(id) ?? 0);
      const reserveBytes = Math.min(budget - overhead, context.reserveBytes);
      const turnsBytes = Math.min(overhead, context.turnsBytes);
      const taken = { turnsBytes, overheadBytes: overhead - turnsBytes, reserveBytes };
      return row(id, gpuAt(machine, i)?.name ?? 'GPU', budget, taken);
    }),
    row('cpu', machine.host.name, budgets.ramBytes, NOTHING_TAKEN),
    row('disk', 'disk', budgets.diskBytes, NOTHING_TAKEN),
  ];
}
