import { setTimeout as pause } from 'node:timers/promises';

/** Contexts take 100 to 600 MiB. Less is not the first of this process, more is not one. */
const LEAST_BYTES = 2 ** 25;
const MOST_BYTES = 2 ** 30;
/** How often a card is looked at that a context was taken from, and how long apart. */
const LOOKS = 3;
const PAUSE_MS = 20;

/**
 * What a driver takes of a card for a context, which is taken and given back: only where the card has free then what it had before is
 * it known, as other programs, another process of this one among them, may take and give back memory meanwhile.
 * @param freeBytes of the card, seen from outside; null where nobody tells
 * @param take takes a context, and answers how to give it back
 */
export async function contextBytes(freeBytes: () => number | null, take: () => () => void): Promise<number | null> {
  const before = freeBytes();
  if (before === null) return null;
  const giveBack = take();
  const during = freeBytes();
  giveBack();
  for (let look = 0; look < LOOKS && freeBytes() !== before; look++) await pause(PAUSE_MS);
  if (during === null || freeBytes() !== before) return null;
  const taken = before - during;
  return taken >= LEAST_BYTES && taken <= MOST_BYTES ? taken : null;
}
