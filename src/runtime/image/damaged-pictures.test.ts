import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodePicture } from './decode-picture.js';
import { decodeHere } from './libvips-here.js';

/** A cell of the matrix with bytes changed, and what Pillow makes of it: null where it refuses it. */
interface Damaged {
  readonly container: string;
  readonly of: string;
  /** Offset, bytes taken out, bytes put in as hexadecimal digits; one after the other. */
  readonly edits: readonly (readonly [number, number, string])[];
  readonly rgb: string | null;
}

const FOLDER = new URL('../../../test/fixtures/pictures/', import.meta.url);
const read = (name: string): unknown =>
  JSON.parse(gunzipSync(readFileSync(new URL(`${name}.json.gz`, FOLDER))).toString());
const files = new Map(
  ['matrix', 'plain']
    .flatMap((name) => (read(name) as { cells: { name: string; file: string; rgb?: string }[] }).cells)
    .filter(({ rgb }) => rgb !== undefined)
    .map(({ name, file }) => [name, Buffer.from(file, 'base64')]),
);
/** Recorded by record_damaged.py. */
const { rows } = read('damaged') as { rows: Damaged[] };

async function outcomeOf({ of, edits }: Damaged): Promise<string | null> {
  let file = files.get(of) ?? Buffer.alloc(0);
  for (const [at, taken, put] of edits) {
    file = Buffer.concat([file.subarray(0, at), Buffer.from(put, 'hex'), file.subarray(at + taken)]);
  }
  try {
    const { data, width, height } = await decodePicture(file, 1_000_000);
    return `${width} ${height} ${createHash('sha256').update(data).digest('hex').slice(0, 16)}`;
  } catch {
    return null;
  }
}

// The same files again by libvips in this thread, which stays so.
describe.each(['sharp', 'here'])(
  'a damaged picture has the pixels that Pillow gives, or is refused as Pillow refuses it: %s',
  (by) => {
    beforeAll(async () => {
      if (by === 'here') await decodeHere();
    });

    it.each([
      ['jpeg', 0],
      ['gif', 0],
      ['pnm', 0],
      // Pillow shows what it has of pixels whose checksum is wrong.
      ['png', 18],
    ])('%s', async (container, refusedHereAlone) => {
      const own = rows.filter((row) => row.container === container);
      const wrong: Damaged[] = [];
      let refused = 0;
      for (const row of own) {
        const outcome = await outcomeOf(row);
        if (outcome === null && row.rgb !== null) refused++;
        else if (outcome !== row.rgb) wrong.push(row);
      }
      expect(wrong).toEqual([]);
      expect(refused).toBe(refusedHereAlone);
      expect(own.filter(({ rgb }) => rgb !== null).length).toBeGreaterThan(own.length / 10);
    });
  },
);
