/** Cards by the names that people, shops and drivers give them. */
import type { GpuProfile } from './device-profile.js';
import { KNOWN_GPUS } from './known-devices.js';

/** A card of the table, by a name that people use. */
export interface FoundCard {
  readonly profile: GpuProfile;
  /** What the name says, else what such cards have; null for a laptop's, which have less than the desktop cards they are named after. */
  readonly memoryBytes: number | null;
}

/** Words that say another card than the one whose name they follow. */
const OTHER_CARDS = new Set(['ti', 'super', 'd', 'ada', 'max']);

const LAPTOP = new Set(['laptop', 'mobile', 'notebook']);

/** `12gb`, `80 GB`, `24G`. */
const MEMORY = /\b(\d{1,3}) ?g(?:i?b)?\b/g;

/**
 * The card of a name such as `3060`, `rtx3060`, `RTX 3090 Ti`, "NVIDIA GeForce RTX 3060", "Tesla T4" or
 * "NVIDIA A100-SXM4-40GB": the one of KNOWN_GPUS whose words are all in the name, one after the other.
 * @returns undefined for any other card, also for one that only begins like a known one, as "RTX 5090 D"
 */
export function findCard(name: string): FoundCard | undefined {
  const lower = name.toLowerCase();
  const words = wordsOf(lower.replaceAll(MEMORY, ' '));
  const [found] = [...KNOWN_GPUS]
    .map(([known, profile]) => ({ profile, known: wordsOf(known) }))
    .filter(({ known }) => isIn(known, words))
    .toSorted((a, b) => b.known.length - a.known.length);
  // A slice of a card has its name and a part of its memory.
  if (found === undefined || words.includes('mig')) return undefined;
  const { profile } = found;
  const usual = profile.memoryBytes ?? null;
  const [, statedGiB] = new RegExp(MEMORY.source).exec(lower) ?? [];
  if (statedGiB === undefined) return { profile, memoryBytes: words.some((word) => LAPTOP.has(word)) ? null : usual };
  const stated = Number(statedGiB) * 2 ** 30;
  // A card of "80GB" offers a little less than 80 GiB.
  return { profile, memoryBytes: usual !== null && Math.abs(usual - stated) < 0.1 * stated ? usual : stated };
}

/** "rtx3060ti" is "3060 ti": every card of a number is an RTX. */
function wordsOf(name: string): string[] {
  const split = name
    .toLowerCase()
    .replaceAll(/(rtx)(?=a?\d)|(\d{4})(?=ti|super|d\b)|(ti)(?=super)/g, '$& ')
    .split(/[^a-z0-9]+/);
  return split.filter((word) => word !== '' && word !== 'rtx');
}

function isIn(known: readonly string[], words: readonly string[]): boolean {
  return words.some((_, at) => {
    const next = words[at + known.length];
    return known.every((word, i) => words[at + i] === word) && (next === undefined || !OTHER_CARDS.has(next));
  });
}
