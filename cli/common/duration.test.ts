import { expect, it } from 'vitest';
import { duration } from './duration.js';

it.each([
  [0, '0 s'],
  [0.02, '1 s'],
  [59, '59 s'],
  [59.2, '1 min 0 s'],
  [250, '4 min 10 s'],
  [3600, '1 h 0 min'],
  [12_000, '3 h 20 min'],
  [2_890_173, '802 h 49 min'],
])('%d seconds', (seconds, text) => expect(duration(seconds)).toBe(text));
