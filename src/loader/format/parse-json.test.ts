import { describe, expect, it } from 'vitest';
import { parseJson } from './parse-json.js';

describe('parseJson', () => {
  // What Python's json.dumps makes of float("inf") and float("nan"); configurations of Mamba 2 were published so.
  it.each([
    ['{"time_step_limit": [0.0, Infinity]}', { time_step_limit: [0, Number.POSITIVE_INFINITY] }],
    ['[-Infinity, NaN, 1]', [Number.NEGATIVE_INFINITY, null, 1]],
    ['{"Infinity": "NaN, \\" Infinity", "a": Infinity}', { Infinity: 'NaN, " Infinity', a: Number.POSITIVE_INFINITY }],
  ])('reads %s as Python does', (text, value) => {
    expect(parseJson(text)).toEqual(value);
  });

  it.each(['{"a": -NaN}', '[+Infinity]', '[infinity]', '[Infinityx]', '{"a": "Infinity}', '[nan]', '{"a": NaN'])(
    'refuses %s, which Python refuses',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    },
  );

  it('refuses what is nested deeper than any document', () => {
    expect(() => parseJson(`${'['.repeat(200)}${']'.repeat(200)}`)).toThrow('nested more than 100 levels');
  });
});
