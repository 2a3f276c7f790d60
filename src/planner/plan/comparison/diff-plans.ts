/** What changes from one plan to another. */
import { schemeIn } from '../document/scheme-in.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import type { Device } from '../../map/device-map.js';
import type { Placement, PlanDocument } from '../document/plan-document.js';

/** What changes between two plans; `latencyMs` is of a call, weights are in bytes. */
export interface PlanDiff {
  /** Blocks that live or run elsewhere or are quantised otherwise, in the order they run. */
  readonly moved: readonly {
    readonly block: string;
    readonly from: Placement;
    readonly to: Placement;
    readonly scheme: { readonly before: QuantScheme | null; readonly after: QuantScheme | null };
  }[];
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  readonly latencyMs: { readonly before: number; readonly after: number };
  readonly streamedBytesPerCall: { readonly before: number; readonly after: number };
  /** Whether each counts what the driver takes of a GPU's budget for a process; null for older plans, which do not say. */
  readonly countContext: { readonly before: boolean | null; readonly after: boolean | null };
  /** Whether each streams from page-locked host memory. */
  readonly pageLocked: { readonly before: boolean; readonly after: boolean };
  /** Weight bytes per device that is in either plan. */
  readonly weightBytes: readonly { readonly device: Device; readonly before: number; readonly after: number }[];
}

/** What changes from one plan to another. Both may be of different models: blocks that are in one alone are listed. */
export function diffPlans(before: PlanDocument, after: PlanDocument): PlanDiff {
  const old = new Map(before.placements.map((placement) => [placement.block, placement]));
  const fresh = new Map(after.placements.map((placement) => [placement.block, placement]));
  const weight = (plan: PlanDocument, id: Device) => plan.devices.find((device) => device.id === id)?.weightBytes ?? 0;
  const ids = [...new Set([...before.devices, ...after.devices].map((device) => device.id))];
  return {
    moved: after.placements.flatMap((to) => {
      const from = old.get(to.block);
      if (from === undefined) return [];
      const scheme = { before: schemeIn(before, to.block), after: schemeIn(after, to.block) };
      const same =
        from.device === to.device &&
        from.execution === to.execution &&
        from.runsOn === to.runsOn &&
        from.keptBytes === to.keptBytes &&
        scheme.before === scheme.after;
      return same ? [] : [{ block: to.block, from, to, scheme }];
    }),
    onlyBefore: [...old.keys()].filter((block) => !fresh.has(block)),
    onlyAfter: [...fresh.keys()].filter((block) => !old.has(block)),
    latencyMs: { before: before.cost.latencyMs, after: after.cost.latencyMs },
    streamedBytesPerCall: {
      before: before.cost.streamedBytesPerCall,
      after: after.cost.streamedBytesPerCall,
    },
    countContext: { before: before.countContext ?? null, after: after.countContext ?? null },
    pageLocked: { before: before.pageLocked === true, after: after.pageLocked === true },
    weightBytes: ids.map((device) => ({ device, before: weight(before, device), after: weight(after, device) })),
  };
}
