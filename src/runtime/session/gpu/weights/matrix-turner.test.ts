/** Matrices turned in memory of many sizes, on the CPU as a device. */
import { array, assert, integer, nat, property, tuple } from 'fast-check';
import { expect, it } from 'vitest';
import { HostMemory } from '../../../device/memory/host-memory.js';
import { MatrixTurner } from './matrix-turner.js';

it('turns a matrix in as many pieces as the rooms ask for, or says that they do not suffice', () => {
  using memory = new HostMemory();
  using turner = new MatrixTurner(memory, { threads: 1 });
  const shapes = tuple(
    integer({ min: 1, max: 40 }),
    integer({ min: 1, max: 9 }),
    nat(2),
    array(nat(400), { maxLength: 6 }),
  );
  const check = ([rows, columns, cuts, roomSizes]: [number, number, number, number[]]) => {
    const bytes = 4 * rows * columns;
    const stored = memory.allocateHost(bytes);
    const values = new Uint32Array(stored.bytes.buffer, stored.bytes.byteOffset, rows * columns);
    values.forEach((_, index) => (values[index] = index + 1));
    // Tensors end at rows, as those of joined weights do.
    const ends = [...Array.from({ length: cuts }, (_, cut) => Math.floor((rows * (cut + 1)) / (cuts + 1))), rows];
    const parts = ends.map((end, index) => {
      const begin = ends[index - 1] ?? 0;
      return { address: stored.address + BigInt(4 * columns * begin), bytes: 4 * columns * (end - begin) };
    });
    const rooms = roomSizes.toSorted((a, b) => b - a).map((size) => ({ address: memory.allocate(size), bytes: size }));
    const to = memory.allocateHost(bytes);
    const done = turner.turn({ dtype: 'F32', rows, columns, parts }, to.address, rooms, false);
    const perPiece = (pieces: number) => 4 * columns * Math.ceil(rows / pieces);
    const enough = rooms.some(({ bytes: size }, index) => size >= perPiece(Math.max(index, 1)));
    expect(done).toBe(enough);
    if (!done) return;
    const turned = new Uint32Array(to.bytes.buffer, to.bytes.byteOffset, rows * columns);
    const expected = Array.from(
      { length: rows * columns },
      (_, at) => (at % rows) * columns + Math.floor(at / rows) + 1,
    );
    expect([...turned]).toEqual(expected);
  };
  assert(property(shapes, check), { numRuns: 60 });
});
