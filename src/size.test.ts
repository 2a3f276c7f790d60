import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactSize, formatCount, formatSize, parseSize } from './size.js';

describe('parseSize', () => {
  it.each([
    ['10G', 10 * 2 ** 30],
    ['10g', 10 * 2 ** 30],
    ['10GiB', 10 * 2 ** 30],
    ['10gib', 10 * 2 ** 30],
    ['10 GiB', 10 * 2 ** 30],
    ['10GB', 10 ** 10],
    ['10gb', 10 ** 10],
    ['10Gb', 10 ** 10],
    ['10240MiB', 10 * 2 ** 30],
    ['9.5GiB', 9.5 * 2 ** 30],
    ['0.1GB', 10 ** 8],
    ['1TB', 10 ** 12],
    ['1T', 2 ** 40],
    ['10B', 10],
    ['1048576', 2 ** 20],
    ['7699848192', 7_699_848_192],
    ['0', 0],
    // 3 GiB + 1: a 32-bit mask would turn this negative.
    ['3221225473', 3_221_225_473],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '',
    'G',
    '-5GB',
    '1e10',
    '10 gigs',
    '10Gbit',
    '10 Mbits',
    '0.3',
    '0.0001KB',
    '80%',
    '10 GiB ',
    ' 10G',
    '1,5G',
    '10EB',
    '9007199254740992',
    'NaN',
    'Infinity',
    '0x10',
    '1.G',
  ])('refuses "%s"', (text) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'SIZE_INVALID' }));
  });

  it.each([
    ['10', 'Did you mean 10G (10 GiB)?'],
    ['2', 'Did you mean 2G (2 GiB)?'],
    ['9.5', 'Did you mean 9.5G (9.5 GiB)?'],
    ['0.5', 'Did you mean 0.5G (0.5 GiB)?'],
    ['24576', 'Did you mean 24576M (24 GiB), or 24576B for bytes?'],
    ['1048575', 'Did you mean 1048575M (1024.0 GiB), or 1048575B for bytes?'],
  ])('asks what "%s" is: %s', (text, hint) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'SIZE_INVALID', hint }));
  });

  it('reads back every size that exactSize writes', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(exactSize(bytes))).toBe(bytes);
      }),
    );
  });

  it('scales by exactly 2^30 and 10^9', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8_000_000 }), (n) => {
        expect(parseSize(`${n}G`)).toBe(n * 2 ** 30);
        expect(parseSize(`${n}GB`)).toBe(n * 10 ** 9);
      }),
    );
  });
});

describe('formatSize', () => {
  it.each([
    [0, '0 bytes'],
    [17, '17 bytes'],
    [2 ** 29, '512 MiB'],
    [7_699_848_192, '7.17 GiB'],
    [10 * 2 ** 30, '10 GiB'],
    [-1_610_612_736, '-1.50 GiB'],
    [150.25 * 2 ** 20, '150.3 MiB'],
  ])('%i prints as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('formatCount', () => {
  it('prints whole numbers as Intl does', () => {
    const english = new Intl.NumberFormat('en');
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }), (value) => {
        expect(formatCount(value)).toBe(english.format(value));
      }),
    );
  });
});
