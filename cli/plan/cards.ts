import { type Budgets, findCard, formatSize, type FoundCard, KNOWN_GPUS } from '../../src/planner/index.js';
import { didYouMean } from '../common/closest.js';
import { usageError } from '../common/main.js';
import { readBudgets, type BudgetArgs } from '../common/plan-options.js';
import type { RequestArgs } from './request-flags.js';

/** The cards of `--gpu`, in the order of the GPUs. @throws Blip2Error `USAGE` for a name that no known card has */
export function readCards(names: readonly string[]): FoundCard[] {
  return names.map((name) => {
    const card = findCard(name);
    if (card !== undefined) return card;
    const known = [...KNOWN_GPUS.keys()];
    throw usageError(`--gpu ${name} is not a known card`, `${didYouMean([name], known)}Known: ${known.join(', ')}.`);
  });
}

/**
 * The budgets, those of GPUs by the memory of the cards where they are not stated.
 * @throws Blip2Error `USAGE` for more cards than budgets, and for a card whose memory is not known
 */
export function budgetsOf(args: BudgetArgs, cards: readonly FoundCard[]): { budgets: Budgets; notes: string[] } {
  const budgets = readBudgets(args);
  if (args.vram !== undefined && cards.length > args.vram.length) {
    throw usageError(
      `--gpu names ${cards.length} cards, and --vram the memory of ${args.vram.length}`,
      'Give --vram for each, or leave it out for all of their memory.',
    );
  }
  if (args.vram !== undefined || cards.length === 0) return { budgets, notes: [] };
  const sizes = cards.map(({ profile, memoryBytes }, id) => {
    if (memoryBytes !== null) return [id, memoryBytes] as const;
    throw usageError(`how much memory a laptop's ${profile.name} has depends on the laptop`, 'Say it with --vram.');
  });
  const notes = sizes.map(
    ([id, bytes]) =>
      `gpu${id} is taken to be a whole ${cards[id]?.profile.name} of ${formatSize(bytes)}, its driver's share included (--vram says otherwise)`,
  );
  return { budgets: { ...budgets, gpus: new Map(sizes) }, notes };
}

/** @throws Blip2Error `USAGE` where nothing says how much memory there is */
export function requireBudget({ vram, ram, gpu }: RequestArgs): void {
  if (vram !== undefined || ram !== undefined || gpu !== undefined) return;
  throw usageError(
    'say how much memory there is',
    'For example: blip2-plan --vram 10G, or --gpu 3060 for a whole card, or --ram 12G for no GPU.',
  );
}
