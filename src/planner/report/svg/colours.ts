import { at } from '../../../checked-access.js';
import type { BarSegment, StripCell } from '../picture-data.js';

/** The palette of Okabe and Ito, which colour-blind readers can tell apart. */
export const PART_COLOURS = [
  '#0072b2',
  '#cc79a7',
  '#e69f00',
  '#009e73',
  '#d55e00',
  '#56b4e9',
  '#8c6bb1',
  '#7f7f00',
] as const;

/** A little darker than white paper, a little lighter than a dark one. */
export const FREE_COLOUR = '#88888818';

export function fillOf(fill: BarSegment['fill']): string {
  if (typeof fill === 'number') return partColour(fill);
  return {
    copies: '#b3a369',
    caches: '#9ecae1',
    buffers: '#c7c7c7',
    activations: '#f0e442',
    staging: '#fdae6b',
    overhead: '#9e9ac8',
    reserve: 'url(#reserve)',
    free: FREE_COLOUR,
  }[fill];
}

/** What a block is painted with, one over the other. */
export function fillsOf({ part, scheme }: StripCell, isHatched: boolean): string[] {
  return [partColour(part), ...(isHatched ? ['url(#stream)'] : []), ...(scheme === null ? [] : ['url(#quantized)'])];
}

export function partColour(part: number): string {
  return at(PART_COLOURS, part % PART_COLOURS.length);
}

/** Of the palette, those on which black is read better than white by far (WCAG's contrast: 6 to 9 against 2 to 3.4). */
const LIGHT: ReadonlySet<string> = new Set(['#cc79a7', '#e69f00', '#009e73', '#56b4e9']);

/** The class of a text on a part's colour. */
export function inkOn(part: number): 'in' | 'in on' {
  return LIGHT.has(partColour(part)) ? 'in on' : 'in';
}
