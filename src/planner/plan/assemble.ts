/** From a model, budgets and prices to the solver's numbers. */
import type { Item, Problem } from '../solve/problem.js';
import type { Place, PriceList } from '../price/price-list.js';
import type { ModelProfile, ProfileBlock } from '../profile/model-profile.js';
import { chargesOf, passingBytes, standingBytes } from './memory.js';

export interface Placing {
  readonly places: readonly Place[];
  /** GPU number -> bytes left for weights, caches, activations and staging. */
  readonly gpuBytes: ReadonlyMap<number, number>;
  readonly ramBytes: number | null;
  readonly diskBytes: number;
  /** Whether a block may go to a place: pins, and the rules of the engine. */
  readonly allows: (block: ProfileBlock, place: Place) => boolean;
}

export function assemble(profile: ModelProfile, placing: Placing, prices: PriceList): Problem {
  const { places } = placing;
  const gpuIds = [...placing.gpuBytes.keys()];
  const devices = [...gpuIds, 'cpu', 'disk'] as const;
  const firstOfBond = new Map<string, number>();
  const position = new Map(profile.blocks.map((block, i) => [block.name, i]));

  const items = profile.blocks.map((block, i): Item => {
    const previous = profile.blocks[i - 1];
    const sameAs = block.bond === null ? null : (firstOfBond.get(block.bond) ?? null);
    if (block.bond !== null && sameAs === null) firstOfBond.set(block.bond, i);
    const charges = places.map((place) => chargesOf(block, place, profile.engine));
    const bytes = (measure: typeof standingBytes) =>
      charges.map((each) =>
        devices.map((device) =>
          each.filter((charge) => charge.device === device).reduce((sum, charge) => sum + measure(charge), 0),
        ),
      );
    return {
      cost: places.map((place) => (placing.allows(block, place) ? prices.blockMs(block, place) : Infinity)),
      use: bytes(standingBytes),
      peak: bytes(passingBytes),
      sameAs,
      inputs: [
        ...(previous === undefined
          ? []
          : [{ from: i - 1, cost: places.map((a) => places.map((b) => prices.crossingMs(previous, a, b))) }]),
        ...block.extraInputs.map((input) => ({
          from: position.get(input.from) ?? 0,
          cost: places.map((a) => places.map((b) => prices.extraInputMs(input, block.elementBytes, a, b))),
        })),
      ],
    };
  });
  return {
    places: places.length,
    capacities: [
      ...gpuIds.map((id) => placing.gpuBytes.get(id) ?? 0),
      placing.ramBytes ?? Number.MAX_SAFE_INTEGER,
      placing.diskBytes,
    ],
    items,
  };
}
