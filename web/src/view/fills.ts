import type { BarSegment } from '../../../src/planner/report/picture-data.js';
import { fillOf } from '../../../src/planner/report/svg/colours.js';

/** What is drawn by a pattern is a class; the rest has the colours of the product's other pictures. */
export function fillClass(fill: BarSegment['fill']): string {
  return fill === 'reserve' || fill === 'free' ? `fill-${fill}` : '';
}

export function fillStyle(fill: BarSegment['fill']): { background?: string } {
  return fill === 'reserve' || fill === 'free' ? {} : { background: fillOf(fill) };
}
