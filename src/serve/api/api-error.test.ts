import { expect, it } from 'vitest';
import { errorText, option } from '../../error-text.js';
import { Blip2Error } from '../../errors.js';
import { resolveGenerationOptions } from '../../runtime/generation/generation-options.js';
import { apiError, badField } from './api-error.js';

const vocabulary = { eosTokenIds: [2], vocabSize: 10 };

it.each([
  [{ maxNewTokens: 5, minNewTokens: 6 }, 'min_tokens', 'min_tokens is 6; it has to be at most max_tokens (5).'],
  [{ doSample: true, temperature: 1e-40 }, 'temperature', 'temperature is 1e-40; it has to be between'],
  [{ repetitionPenalty: 0 }, 'repetition_penalty', 'repetition_penalty is 0; it has to be'],
] as const)('%j is wrong in the words of the API', (options, field, message) => {
  let failure: unknown;
  try {
    resolveGenerationOptions(options, vocabulary);
  } catch (error) {
    failure = error;
  }
  const { status, body } = apiError(failure);
  expect([status, body.error.param, body.error.code]).toEqual([400, field, 'OPTION_INVALID']);
  expect(body.error.message).toContain(message);
});

it('names the field that a request has wrong, and the flags of whoever runs the server', () => {
  expect(apiError(badField('n', 'n is 2')).body.error).toMatchObject({ message: 'n is 2.', param: 'n' });
  const hint = errorText`Allow more with ${option('fetchLimitBytes')}.`;
  const { message, param } = apiError(new Blip2Error('IMAGE_TOO_LARGE', 'it is large', { hint })).body.error;
  expect([message, param]).toEqual(['it is large. Allow more with --max-body.', null]);
});

it('tells nobody what was not foreseen', () => {
  for (const error of [new Error('/etc/secret'), new Blip2Error('WRITE_FAILED', '/etc/secret')]) {
    expect(JSON.stringify(apiError(error))).not.toContain('secret');
  }
});
