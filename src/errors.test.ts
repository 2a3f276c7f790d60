import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { flagOf } from '../cli/common/flag-of.js';
import { Blip2Error, reasonOf } from './errors.js';
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

describe('reasonOf', () => {
  it('names what each address of a host said, of which Node says nothing', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    const socket = connect({ host: 'two.test', port, lookup: (_host, _options, answer) => answer(null, addresses) });
    const refused: unknown = await once(socket, 'connect').catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'AggregateError', message: '' });
    expect(reasonOf(refused)).toBe(`connect ECONNREFUSED 127.0.0.1:${port}; connect ECONNREFUSED 127.0.0.2:${port}`);
  });

  it('names an error that says nothing', () => {
    expect(reasonOf(new TypeError())).toBe('TypeError');
    expect(reasonOf('told')).toBe('told');
  });
});
