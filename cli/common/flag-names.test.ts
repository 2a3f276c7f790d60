import { describe, expect, it } from 'vitest';
import { resolveGenerationOptions } from '../../src/runtime/generation/generation-options.js';
import { withFlagNames } from './flag-names.js';

describe('withFlagNames', () => {
  it.each([
    [{ maxNewTokens: 5, minNewTokens: 9 }, '--min-new-tokens is 9; it has to be at most --max-new-tokens (5)'],
    [{ numBeams: 2, numReturnSequences: 3 }, '--num-captions is 3; it has to be at most --beams (2)'],
    [{ doSample: true, topP: 2 }, '--top-p is 2; it has to be above 0 and at most 1'],
  ] as const)('tells what is wrong with %j in flags', (options, message) => {
    const told = (() => {
      try {
        resolveGenerationOptions(options, [2]);
      } catch (error) {
        return error instanceof Error ? withFlagNames(error.message) : error;
      }
      return null;
    })();
    expect(told).toBe(message);
  });

  it('leaves names alone that only contain an option', () => {
    expect(withFlagNames('stopKeys and newTokensPerSecond')).toBe('stopKeys and newTokensPerSecond');
  });
});
