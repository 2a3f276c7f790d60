import { setTimeout as pause } from 'node:timers/promises';

/** Long enough for a program that takes memory step by step to be noticed. */
const PAUSE_MS = 20;
/** Contexts take 100 to 600 MiB. Less is not the first of this process, more is not one. */
const LEAST_BYTES = 2 ** 25;
const MOST_BYTES = 2 ** 30;

export interface Watched<Device> {
  readonly device: Device;
  /** What the driver took of the card for a context; null where it is not known. */
  readonly contextBytes: number | null;
}

/**
 * Opens a device, and looks at what its card has free before and after. Where other programs take or give back memory, nothing is known.
 * @param freeBytes of the card, seen from outside; null where nobody tells
 */
export async function watchedOpen<Device>(
  freeBytes: () => number | null,
  open: () => Device,
): Promise<Watched<Device>> {
  const earlier = freeBytes();
  await pause(PAUSE_MS);
  const before = freeBytes();
  const device = open();
  const after = freeBytes();
  if (before === null || after === null || before !== earlier) return { device, contextBytes: null };
  const taken = before - after;
  return { device, contextBytes: taken >= LEAST_BYTES && taken <= MOST_BYTES ? taken : null };
}
