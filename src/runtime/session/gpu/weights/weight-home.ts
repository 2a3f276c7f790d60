import type { Address } from '../../../device/memory/device-memory.js';

/** Where weights are, by a name that is the same in all programs. */
export interface WeightHome {
  /** undefined for a weight that is not there. */
  addressOf(name: string): Address | undefined;
}
