import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError, JsonScanner } from './json-scanner.js';

const hex = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

describe('JsonScanner', () => {
  it('reads any string, however much of it is escaped', () => {
    const character = fc.tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(character), (characters) => {
        const written = characters.map(([each, escaped]) =>
          escaped ? each.split('').map(hex).join('') : JSON.stringify(each).slice(1, -1),
        );
        const scanner = new JsonScanner(`"${written.join('')}"`);
        expect(scanner.string('it')).toBe(characters.map(([each]) => each).join(''));
        scanner.end();
      }),
    );
  });

  it('refuses what JSON.parse refuses, lone surrogates and numbers without end, and walks over anything else', () => {
    const document = fc.oneof(
      fc.json(),
      fc.string({ unit: fc.constantFrom(...'"\\/bfnrtu0dD8:,[]{} \n-1.e+truefalsnl'.split('')), maxLength: 12 }),
      fc
        .string({ unit: fc.constantFrom(String.raw`\ud83d`, String.raw`\ude00`, 'a', String.raw`\"`) })
        .map((text) => `"${text}"`),
    );
    fc.assert(
      fc.property(document, (text) => {
        const scan = () => {
          const scanner = new JsonScanner(text);
          scanner.skip();
          scanner.end();
        };
        if (isReadable(text)) expect(scan).not.toThrow();
        else expect(scan).toThrow(JsonError);
      }),
      { numRuns: 2000 },
    );
  });
});

function isReadable(text: string): boolean {
  try {
    return isSound(JSON.parse(text));
  } catch {
    return false;
  }
}

function isSound(value: unknown): boolean {
  if (typeof value === 'string') return !/\p{Surrogate}/u.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.entries(value).flat().every(isSound);
}
