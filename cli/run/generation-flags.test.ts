import { describe, expect, it } from 'vitest';
import { readAsk, readGeneration } from './generation-flags.js';

describe('readGeneration', () => {
  it.each([
    ['beams', {}, { numBeams: 5 }],
    ['one beam', { beams: 1 }, {}],
    ['sampling', { sample: true }, { doSample: true }],
  ])('has the lengths and the prompt of --preset paper with %s', (_, flags, search) => {
    const args = { preset: 'paper', ...flags } as const;
    expect(readGeneration(args)).toEqual({ minNewTokens: 8, maxNewTokens: 30, ...search });
    expect(readAsk(args)).toEqual({ prompt: 'a photo of' });
  });

  it('takes what a flag says in place of the preset', () => {
    const args = { preset: 'paper', sample: true, 'min-new-tokens': 2, 'max-new-tokens': 5 } as const;
    expect(readGeneration(args)).toEqual({ minNewTokens: 2, maxNewTokens: 5, doSample: true });
  });
});
