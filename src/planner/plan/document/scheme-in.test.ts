import { expect, it } from 'vitest';
import { schemeIn } from './scheme-in.js';

it('is that of the block, and of none that objects have by themselves', () => {
  const plan = { quant: { head: 'int8' } } as const;
  expect(schemeIn(plan, 'head')).toBe('int8');
  for (const block of ['body', 'constructor', '__proto__', 'toString']) expect(schemeIn(plan, block)).toBeNull();
});
