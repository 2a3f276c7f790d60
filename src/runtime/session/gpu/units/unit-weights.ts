import type { StoredTensor } from '../../../../loader/format/stored-tensor.js';
import type { Unit } from './gpu-units.js';
import type { Weight } from './weight.js';

/** A unit's weight: its graph input, and the tensors that fill it. */
export interface UnitWeight extends Weight {
  readonly input: string;
  /** As in the checkpoint, or of the joined tensors: the same in all programs. */
  readonly name: string;
  readonly block: string;
}

export function weightsOf(unit: Unit, tensorOf: (name: string) => StoredTensor): UnitWeight[] {
  return [...unit.stage.weights].map(([input, { tensors, block, transposed }]) => ({
    input,
    name: unit.rename(input),
    block: unit.rename(`${block}.`).slice(0, -1),
    tensors: tensors.map((tensor) => tensorOf(unit.rename(tensor))),
    transposed,
  }));
}
