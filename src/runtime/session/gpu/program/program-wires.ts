import type { Block } from '../../../../model/blocks.js';
import type { BoundTensor } from '../../../device/ort/ort-session.js';
import type { WireType } from './wire-type.js';

/** Of a wire that is not the same size all along, its type after the blocks of a unit. */
export type ChainType = WireType | ((blocks: readonly Block[]) => WireType);

/** Types are those that the host writes and reads; a device may have another float. */
export interface ProgramWires {
  /** What the host gives to each run. */
  readonly inputs: ReadonlyMap<string, WireType>;
  /** What leads from unit to unit. One that is an input too starts with the input. */
  readonly chains?: ReadonlyMap<string, ChainType>;
  /** What the host may read after each run. */
  readonly results?: ReadonlyMap<string, WireType>;
  /** Memory of the caller, such as caches. */
  readonly kept?: (wire: string) => BoundTensor | undefined;
}
