import { describe, expect, it } from 'vitest';
import { flagOf } from '../cli/common/flag-of.js';
import { Blip2Error } from './errors.js';
import { errorText, option } from './error-text.js';
import { resolveGenerationOptions } from './runtime/generation/generation-options.js';
import { receiveError, sendError } from './runtime/sent-error.js';

function refusal(options: Parameters<typeof resolveGenerationOptions>[0]): Blip2Error {
  try {
    resolveGenerationOptions(options, { eosTokenIds: [2], vocabSize: 100 });
  } catch (error) {
    if (error instanceof Blip2Error) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('Blip2Error', () => {
  it.each([
    [
      { maxNewTokens: 5, minNewTokens: 9 },
      'minNewTokens is 9; it has to be at most maxNewTokens (5)',
      '--min-new-tokens is 9; it has to be at most --max-new-tokens (5)',
    ],
    [
      { numBeams: 2, numReturnSequences: 3 },
      'numReturnSequences is 3; it has to be at most numBeams (2)',
      '--num-captions is 3; it has to be at most --beams (2)',
    ],
    [
      { doSample: true, topP: 2 },
      'topP is 2; it has to be above 0 and at most 1',
      '--top-p is 2; it has to be above 0 and at most 1',
    ],
    [
      { eosTokenIds: [99, 100] },
      "eosTokenIds is 100; it has to be an id of this model's vocabulary, 0 to 99",
      "--stop-id is 100; it has to be an id of this model's vocabulary, 0 to 99",
    ],
  ] as const)('says what is wrong with %j as a program wrote it, or in flags', (options, message, inFlags) => {
    const error = refusal(options);
    expect(error.message).toBe(message);
    expect(error.inWordsOf(flagOf)).toEqual({ message: inFlags, hint: undefined });
  });

  it('leaves words alone that are no options, whatever they are', () => {
    const given = '/pictures/topK/seed.jpg';
    const error = new Blip2Error('IMAGE_TIMEOUT', errorText`${given} is late`, {
      hint: errorText`${errorText`Give it longer with ${option('fetchTimeoutMs')}`}, or ${2} more tries.`,
    });
    expect(error.hint).toBe('Give it longer with fetchTimeoutMs, or 2 more tries.');
    expect(error.inWordsOf(flagOf)).toEqual({
      message: `${given} is late`,
      hint: 'Give it longer with --fetch-timeout, or 2 more tries.',
    });
  });

  it('comes through processes as it was', () => {
    const sent = refusal({ minNewTokens: 90 });
    const received = receiveError(structuredClone(sendError(sent)));
    expect(received).toBeInstanceOf(Blip2Error);
    expect(received).toMatchObject({
      code: sent.code,
      message: sent.message,
      details: sent.details,
      texts: sent.texts,
    });
  });
});
