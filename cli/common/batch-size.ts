import { wholeNumber } from './parser.js';

/** For `coerce`. */
export function batchSize(value: unknown): number | 'auto' | undefined {
  return value === 'auto' ? value : wholeNumber('batch', 1)(value);
}
