import type { PlanDocument } from '../../../src/planner/plan/document/plan-document.js';
import { cardsOf, memoryOf } from '../settings/card-groups.js';
import type { Settings } from '../settings/settings.js';

/** A plan for less memory than is set: it fits there, too, with more left free. */
export function planForMore(plan: PlanDocument, settings: Settings): PlanDocument {
  const cards = cardsOf(settings.groups);
  const devices = plan.devices.map((device) => {
    const card = typeof device.id === 'number' ? cards[device.id] : undefined;
    if (card === undefined || device.budgetBytes === null || device.freeBytes === null) return device;
    const budgetBytes = memoryOf(card);
    return { ...device, budgetBytes, freeBytes: device.freeBytes + budgetBytes - device.budgetBytes };
  });
  return { ...plan, devices };
}
