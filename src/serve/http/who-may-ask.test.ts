import { describe, expect, it } from 'vitest';
import { checkAsker, isLoopback } from './who-may-ask.js';

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.255.0.9', '::1', '[::1]', 'localhost', 'LOCALHOST', 'localhost.'])('%s is', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each([
    '0.0.0.0',
    '::',
    '',
    '128.0.0.1',
    '127.0.0.1.example',
    'localhost.example',
    '[::1',
    '::ffff:8.8.8.8',
    '10.0.0.1',
    '0x7f.1',
  ])('%j is not', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe('checkAsker', () => {
  it('takes the token as clients send it, and nothing that is nearly it', () => {
    const ask = (authorization?: string) => checkAsker('a.example', authorization, 'a-token');
    for (const right of ['Bearer a-token', 'bearer a-token', 'Bearer   a-token '])
      expect(() => ask(right)).not.toThrow();
    for (const wrong of [
      undefined,
      '',
      'a-token',
      'Bearer a-toke',
      'Bearer a-token2',
      'Bearer a token',
      'Basic a-token',
    ]) {
      expect(() => ask(wrong)).toThrow(expect.objectContaining({ code: 'TOKEN_INVALID' }));
    }
  });
});
