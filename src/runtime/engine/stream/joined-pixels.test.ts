import { array, assert, boolean, property, record, uint16Array } from 'fast-check';
import { expect, it } from 'vitest';
import { JoinedPixels } from './joined-pixels.js';

it('holds the pixels of the last pictures, whatever was joined before them', () => {
  const pictures = array(uint16Array({ minLength: 6, maxLength: 6 }), { maxLength: 5 });
  assert(
    property(array(record({ pictures, halves: boolean() }), { maxLength: 6 }), (rounds) => {
      const joined = new JoinedPixels();
      for (const { pictures: given, halves } of rounds) {
        const made = joined.of(halves ? given : given.map((picture) => Float32Array.from(picture)));
        expect([...made]).toEqual(given.flatMap((picture) => [...picture]));
        if (given.length > 0) expect(made instanceof Uint16Array).toBe(halves);
      }
    }),
  );
});
