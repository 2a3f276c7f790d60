/** Every device's memory under a placement, adding up to its budget. */
import type { Device } from '../../map/device-map.js';
import { gpuAt } from '../../price/device-profile.js';
import type { Placed } from '../../price/place.js';
import { chargesOf, passingBytes, type Charge } from '../../price/memory.js';
import { gpuShares, type PlanContext } from '../request/prepare-plan.js';
import type { DeviceMemory } from './plan-document.js';

const NOTHING_TAKEN = { turnsBytes: 0, overheadBytes: 0, reserveBytes: 0 } as const;

export function memoryTable(context: PlanContext, placed: readonly Placed[]): DeviceMemory[] {
  const { profile, budgets, machine } = context;
  const charges = placed.flatMap(({ block, place }) => chargesOf(block, place, profile.engine));
  const row = (
    id: Device,
    name: string,
    budgetBytes: number | null,
    taken: { readonly turnsBytes: number; readonly overheadBytes: number; readonly reserveBytes: number },
  ): DeviceMemory => {
    const own = charges.filter((charge) => charge.device === id);
    const sum = (field: keyof Omit<Charge, 'device'>) => own.reduce((total, charge) => total + charge[field], 0);
    const top = own.reduce<Charge | null>(
      (most, charge) => (most === null || passingBytes(charge) > passingBytes(most) ? charge : most),
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
    ...gpuShares(context).map(({ id, budgetBytes, overheadBytes, reserveBytes }, i) => {
      // No process opens a GPU on which nothing is.
      const takenBytes = charges.some(({ device }) => device === id) ? overheadBytes : 0;
      const turnsBytes = Math.min(takenBytes, context.turnsBytes);
      const taken = { turnsBytes, overheadBytes: takenBytes - turnsBytes, reserveBytes };
      return row(id, gpuAt(machine, i).name, budgetBytes, taken);
    }),
    row('cpu', machine.host.name, budgets.ramBytes, NOTHING_TAKEN),
    row('disk', 'disk', budgets.diskBytes, NOTHING_TAKEN),
  ];
}
