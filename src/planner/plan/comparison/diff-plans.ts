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
  const both = <T>(of: (plan: PlanDocument) => T) => ({ before: of(before), after: of(after) });
  const ids = [...new Set([...before.devices, ...after.devices].map((device) => device.id))];
  return {
    moved: after.placements.flatMap((to) => {
      const from = old.get(to.block);
      if (from === undefined) return [];
      const scheme = both((plan) => schemeIn(plan, to.block));
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
    latencyMs: both(({ cost }) => cost.latencyMs),
    streamedBytesPerCall: both(({ cost }) => cost.streamedBytesPerCall),
    countContext: both(({ countContext }) => countContext ?? null),
    pageLocked: both(({ pageLocked }) => pageLocked === true),
    weightBytes: ids.map((device) => ({
      device,
      ...both(({ devices }) => devices.find(({ id }) => id === device)?.weightBytes ?? 0),
    })),
  };
}
