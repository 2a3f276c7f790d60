/** From a model, budgets and prices to the solver's numbers. */
import { at, found } from '../../../checked-access.js';
import type { Device } from '../../map/device-map.js';
import type { Item, Problem } from '../../solve/problem.js';
import type { PriceList } from '../../price/price-list.js';
import { runsOn, type Place } from '../../price/place.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { accuracyPrices } from '../../price/accuracy.js';
import { oncePerKind } from './alike.js';
import { chargesOf, passingBytes, standingBytes } from '../../price/memory.js';

export interface Placing {
  readonly places: readonly Place[];
  /** GPU number -> bytes left for weights, caches, activations and staging. */
  readonly gpuBytes: ReadonlyMap<number, number>;
  readonly ramBytes: number | null;
  readonly diskBytes: number;
  /** Whether a block may go to a place: pins, and the rules of the engine. */
  readonly allows: (block: ProfileBlock, place: Place) => boolean;
  /** The same where nothing is held on the main GPU to make it that: what has something there all the same is allowed here, too. */
  readonly unanchored?: { readonly placing: Placing; readonly main: number };
}

export function assemble(profile: ModelProfile, placing: Placing, list: PriceList): Problem {
  const { places } = placing;
  const prices = list.amongst(places);
  const gpuIds = [...placing.gpuBytes.keys()];
  const devices = [...gpuIds, 'cpu', 'disk'] as const;
  const resource = new Map<Device, number>(devices.map((device, r) => [device, r]));
  const firstOfBond = new Map<string, number>();
  const position = new Map(profile.blocks.map((block, i) => [block.name, i]));

  const bytesOf = (block: ProfileBlock): Pick<Item, 'use' | 'peak'> => {
    const use = places.map(() => devices.map(() => 0));
    const peak = places.map(() => devices.map(() => 0));
    for (const [p, place] of places.entries()) {
      const [own, passing] = [at(use, p), at(peak, p)];
      for (const charge of chargesOf(block, place, profile.engine)) {
        const r = found(resource, charge.device);
        own[r] = at(own, r) + standingBytes(charge);
        passing[r] = at(passing, r) + passingBytes(charge);
      }
    }
    return { use, peak };
  };
  // A model is a few kinds of blocks many times over, so most of these numbers are needed only once.
  const bytesOfAlike = oncePerKind(bytesOf);
  const accuracyMs = accuracyPrices(profile, gpuIds, prices);
  const costsOfAlike = oncePerKind((block) =>
    places.map((place) => prices.blockMs(block, place) + accuracyMs(block, place)),
  );
  const crossingsOfAlike = oncePerKind((block) => places.map((a) => places.map((b) => prices.crossingMs(block, a, b))));

  const items = profile.blocks.map((block, i): Item => {
    const previous = profile.blocks[i - 1];
    const sameAs = block.bond === null ? null : (firstOfBond.get(block.bond) ?? null);
    if (block.bond !== null && sameAs === null) firstOfBond.set(block.bond, i);
    const costs = costsOfAlike(block);
    return {
      ...bytesOfAlike(block),
      cost: places.map((place, p) => (placing.allows(block, place) ? at(costs, p) : Infinity)),
      sameAs,
      inputs: [
        ...(previous === undefined ? [] : [{ from: i - 1, cost: crossingsOfAlike(previous) }]),
        ...block.extraInputs.map((input) => ({
          from: found(position, input.from),
          cost: places.map((a) => places.map((b) => prices.extraInputMs(input, block.elementBytes, a, b))),
        })),
      ],
    };
  });
  return {
    places: places.length,
    homes: places.map((place) => found(resource, runsOn(place))),
    capacities: [...placing.gpuBytes.values(), placing.ramBytes ?? Number.MAX_SAFE_INTEGER, placing.diskBytes],
    items,
  };
}
