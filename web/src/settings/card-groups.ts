/** Groups of cards as the single cards that a plan counts. */
import { KNOWN_GPUS, UNKNOWN_GPU } from '../../../src/planner/price/known-devices.js';
import type { CardGroup } from './settings.js';

export const UNNAMED_BYTES = UNKNOWN_GPU.memoryBytes ?? 10 * 2 ** 30;

/** Of one card of the group. */
export function memoryOf({ card, memoryBytes }: CardGroup): number {
  return memoryBytes ?? wholeMemory(card);
}

/** What such a card has. */
export function wholeMemory(card: string | null): number {
  return (card === null ? null : KNOWN_GPUS.get(card)?.memoryBytes) ?? UNNAMED_BYTES;
}

/** Whether every card is taken whole, so that its name says its memory. */
export function areWhole(groups: readonly CardGroup[]): boolean {
  return groups.every(({ card, memoryBytes }) => card !== null && memoryBytes === null);
}

export function areAlike(groups: readonly CardGroup[]): boolean {
  return new Set(groups.map((group) => `${group.card ?? ''} ${memoryOf(group)}`)).size <= 1;
}

export function cardCount(groups: readonly CardGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

/** One entry a card, in the order of the GPUs. */
export function cardsOf(groups: readonly CardGroup[]): CardGroup[] {
  return groups.flatMap((group) => Array.from({ length: group.count }, () => ({ ...group, count: 1 })));
}
