import { expect, it } from 'vitest';
import { SHORTLIST_BYTES } from '../../../device/kernels/shortlists.js';
import { readShortlist } from './read-shortlist.js';

/** As `shortlist-kernels.cu` lays it out, whose sizes and places `test/kernels/emulated.cpp` holds. */
function laidOut(count: number, isFinite: number): Uint8Array {
  const bytes = new Uint8Array(3 * SHORTLIST_BYTES);
  const view = new DataView(bytes.buffer, SHORTLIST_BYTES);
  view.setFloat32(0, 9, true);
  view.setFloat32(4, 2.5, true);
  view.setFloat64(8, Math.E, true);
  view.setUint32(16, count, true);
  view.setUint32(20, isFinite, true);
  for (const [place, id] of [4, 70, 50_271].entries()) {
    view.setUint32(32 + 4 * place, id, true);
    view.setFloat32(544 + 4 * place, id / 8, true);
  }
  return bytes;
}

it('reads ids, logits, and the sum of all', () => {
  expect(SHORTLIST_BYTES).toBe(1056);
  const bytes = laidOut(3, 1);
  const list = readShortlist(bytes, 1, 1);
  expect(list).toEqual({
    isFinite: true,
    logSum: 10,
    row: { ids: Int32Array.of(4, 70, 50_271), values: Float32Array.of(0.5, 8.75, 6283.875), least: 2.5 },
  });
  expect(readShortlist(bytes, 1, 0.5).logSum).toBe(19);
  bytes.fill(0);
  expect(list.row?.values).toEqual(Float32Array.of(0.5, 8.75, 6283.875));
});

it('lists nothing where there was no room, and says what is not finite', () => {
  expect(readShortlist(laidOut(129, 1), 1, 1).row).toBeNull();
  expect(readShortlist(laidOut(128, 0), 1, 1).isFinite).toBe(false);
});
