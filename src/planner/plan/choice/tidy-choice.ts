/**
 * The same placement with like places side by side: which of equal layers in a row a solver streams is chance. Neither cost
 * nor memory changes as long as each layer runs on the same device as before.
 */
import { at } from '../../../checked-access.js';
import { runsOn, type Place } from '../../price/place.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { numbersOf } from './alike.js';

const ORDER = { resident: 0, streamed: 1, host: 2 } as const;

/** @param allows whether a block may be in a place: pins name single blocks */
export function tidyChoice(
  profile: ModelProfile,
  choice: readonly Place[],
  allows: (block: ProfileBlock, place: Place) => boolean,
): Place[] {
  const tidy: Place[] = [];
  const { blocks } = profile;
  for (let start = 0; start < blocks.length;) {
    let end = start + 1;
    while (
      end < blocks.length &&
      interchangeable(at(blocks, start), at(choice, start), at(blocks, end), at(choice, end))
    )
      end += 1;
    const own = blocks.slice(start, end);
    const places = choice.slice(start, end);
    const sorted = places.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    const possible = own.every((block, i) => allows(block, at(sorted, i)));
    tidy.push(...(possible ? sorted : places));
    start = end;
  }
  return tidy;
}

function interchangeable(a: ProfileBlock, placeA: Place, b: ProfileBlock, placeB: Place): boolean {
  const free = [a, b].every((block) => block.bond === null && block.extraInputs.length === 0);
  return free && runsOn(placeA) === runsOn(placeB) && numbersOf(a) === numbersOf(b);
}

/** Held by a GPU first: while such layers run, the next may already be copied. */
function key(place: Place): string {
  const store = place.execution === 'resident' ? '' : place.store;
  return `${ORDER[place.execution]} ${place.scheme ?? ''} ${store}`;
}
