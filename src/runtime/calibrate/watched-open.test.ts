import { expect, it } from 'vitest';
import { watchedOpen } from './watched-open.js';

const MIB = 2 ** 20;

it.each([
  ['a context', [9000, 9000, 8473], 527],
  ['a context that was there', [9000, 9000, 8990], null],
  ['memory that another program took before', [9000, 8000, 7473], null],
  ['memory that another program gave back', [9000, 9000, 9400], null],
  ['more than a context', [9000, 9000, 3000], null],
  ['nobody tells', [null, null, null], null],
])('%s: what a card has free is %j MiB', async (_, free, context) => {
  const left = free.map((mib) => (mib === null ? null : mib * MIB));
  const watched = await watchedOpen(
    () => left.shift() ?? null,
    () => 'device',
  );
  expect(watched).toEqual({ device: 'device', contextBytes: context === null ? null : context * MIB });
});
