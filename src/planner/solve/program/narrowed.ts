/** The same problem with fewer places for its items. */
import { at } from '../../../checked-access.js';
import type { Item, Problem } from '../problem.js';

/** The problem in which items on other devices stay where they are. */
export function onlyBetween(problem: Problem, choice: readonly number[], devices: readonly number[]): Problem {
  const isFree = (place: number): boolean => devices.includes(at(problem.homes, place));
  return withPlaces(problem, (i, place) => {
    const own = at(choice, i);
    return isFree(own) ? isFree(place) : place === own;
  });
}

/** The problem in which an item goes only where it may. */
export function withPlaces(problem: Problem, mayGo: (i: number, place: number) => boolean): Problem {
  const items = problem.items.map((item, i): Item => ({
    ...item,
    cost: item.cost.map((cost, place) => (mayGo(i, place) ? cost : Infinity)),
  }));
  return { ...problem, items };
}
