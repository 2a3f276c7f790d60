import { expect, it } from 'vitest';
import { counted } from './counted.js';

it.each([
  [0, '0 machines'],
  [1, '1 machine'],
  [2, '2 machines'],
])('counts %d', (count, text) => expect(counted(count, 'machine')).toBe(text));
