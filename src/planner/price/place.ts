/** Where a block can be: the choices of the solver, and what a device map and a crossing make of them. */
import type { QuantScheme } from '../../tensor/quantized.js';
import { at } from '../../checked-access.js';
import type { Device } from '../map/device-map.js';
import type { ModelProfile, ProfileBlock } from '../profile/model-profile.js';

/** Where a block's weights live and who runs it. `host` runs on the CPU; its weights are in RAM or read from disk. */
export type Location =
  | { readonly execution: 'resident'; readonly gpu: number }
  | {
      readonly execution: 'streamed';
      readonly gpu: number;
      readonly store: 'cpu' | 'disk';
      /** Which level of the block's `kept` stays on the GPU. */
      readonly level: number;
    }
  | { readonly execution: 'host'; readonly store: 'cpu' | 'disk' };

/** A location, and what a block's weights are quantised to for it; null leaves them as they are loaded. */
export type Place = Location & { readonly scheme: QuantScheme | null };

/** A block where a placement has it. */
export interface Placed {
  readonly block: ProfileBlock;
  readonly place: Place;
}

/** @param choice a place for every block of the profile */
export function placedBlocks({ blocks }: ModelProfile, choice: readonly Place[]): Placed[] {
  return blocks.map((block, i) => ({ block, place: at(choice, i) }));
}

/** Where a place keeps its weights: the value in the device map. */
export function deviceOfPlace(place: Location): Device {
  return place.execution === 'resident' ? place.gpu : place.store;
}

/** The device that computes: a GPU's number, or the CPU. */
export function runsOn(place: Place): number | 'cpu' {
  return place.execution === 'host' ? 'cpu' : place.gpu;
}
