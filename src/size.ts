/**
 * Sizes as people write them. `10G`, `10GiB` and `10 GiB` are 10 x 2^30 bytes (cards sold as "10 GB" hold 10 GiB),
 * `10GB` is 10 x 10^9; case does not matter, so there is no unit for bits. A number without a unit is bytes where it can mean
 * nothing else: `10` would be ten bytes to a program and ten gigabytes to whoever wrote it.
 */
import { Blip2Error } from './errors.js';

const KIB = 1024n;
const UNIT_BYTES: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['b', 1n],
  ...(['k', 'm', 'g', 't'] as const).flatMap((letter, power): [string, bigint][] => [
    [letter, KIB ** BigInt(power + 1)],
    [`${letter}ib`, KIB ** BigInt(power + 1)],
    [`${letter}b`, 1000n ** BigInt(power + 1)],
  ]),
]);

const HOW_TO_WRITE =
  'Write a number and a unit: 10G or 10GiB (2^30 bytes), 10GB (10^9 bytes), 512MiB, or 10737418240B.';

const SIZE = /^(\d+)(?:\.(\d+))? ?([a-z]*)$/;

/**
 * Bytes of a size such as `10G`, `9.5GiB` or `10737418240`.
 * @throws Blip2Error `SIZE_INVALID` for anything else, for a number below a mebibyte without a unit (0 apart), for bits, for
 *   fractions of a byte and beyond 2^53 - 1 bytes.
 */
export function parseSize(text: string): number {
  const fail = (why: string, hint = HOW_TO_WRITE): never => {
    throw new Blip2Error('SIZE_INVALID', `"${text}" is not a size: ${why}`, { hint, details: { text } });
  };
  if (/bits?$/i.test(text)) return fail('bits are not bytes');
  const match = SIZE.exec(text.toLowerCase());
  if (match === null) return fail(/^\s*-/.test(text) ? 'it is negative' : 'expected a number followed by a unit');
  const [, whole = '0', fraction = '', unit = ''] = match;
  const value = Number(`${whole}.${fraction}`);
  if (unit === '' && value > 0 && value < 2 ** 20) return fail('it has no unit', `Did you mean ${meant(value)}?`);
  const unitBytes = UNIT_BYTES.get(unit);
  if (unitBytes === undefined) return fail(`the unit "${unit}" is unknown`);
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * unitBytes;
  if (scaled % scale !== 0n) return fail('it is not a whole number of bytes');
  const bytes = scaled / scale;
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) return fail('it is more than 2^53 - 1 bytes');
  return Number(bytes);
}

/** Cards and memories are counted in GiB by people, and in MiB by nvidia-smi. */
function meant(value: number): string {
  return value < 1024
    ? `${value}G (${value} GiB)`
    : `${value}M (${formatSize(value * 2 ** 20)}), or ${value}B for bytes`;
}

/** `7.17 GiB`, `512 MiB`, `98.3 KiB`, `17 bytes`: binary units, two decimals below 100, for people only. */
export function formatSize(bytes: number): string {
  const magnitude = Math.abs(bytes);
  const [unit, size] =
    magnitude >= 2 ** 40
      ? ['TiB', 2 ** 40]
      : magnitude >= 2 ** 30
        ? ['GiB', 2 ** 30]
        : magnitude >= 2 ** 20
          ? ['MiB', 2 ** 20]
          : magnitude >= 2 ** 10
            ? ['KiB', 2 ** 10]
            : ['bytes', 1];
  const value = bytes / size;
  const decimals = size === 1 || Number.isInteger(value) ? 0 : Math.abs(value) < 100 ? 2 : 1;
  return `${value.toFixed(decimals)} ${unit}`;
}

/** The size with every digit, as `parseSize` reads it back: the largest binary unit that divides it. */
export function exactSize(bytes: number): string {
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** `6,442,450,944`: a whole number in groups of three digits. Starting `Intl` for it would take as long as a small plan. */
export function formatCount(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
