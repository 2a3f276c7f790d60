import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import { decodePicture } from './decode-picture.js';
import { decodedHere, decodeHere } from './libvips-here.js';
import { MAX_PIXELS } from './picture-refusal.js';

/** What Pillow makes of a picture: its size and the SHA-256 of its RGB bytes, or that it refuses it. */
interface Cell {
  readonly name: string;
  readonly container: string;
  readonly file: string;
  readonly width?: number;
  readonly height?: number;
  readonly rgb?: string;
  readonly refused?: string;
}

const FOLDER = new URL('../../../test/fixtures/pictures/', import.meta.url);
/** Recorded by record_matrix.py and record_plain.py. */
const cells = ['matrix', 'plain'].flatMap((name) => {
  const file = readFileSync(new URL(`${name}.json.gz`, FOLDER));
  return (JSON.parse(gunzipSync(file).toString()) as { cells: Cell[] }).cells;
});
const bytesOf = ({ file }: Cell): Uint8Array => Buffer.from(file, 'base64');

/** What is refused although Pillow reads it, and how it is named. README and the help list these. */
const REFUSED: readonly (readonly [RegExp, RegExp])[] = [
  [/^png\/palette 8 none$/, /cannot be read as a picture/],
  [/^tiff\/.* (lzma|zstd)$/, /a TIFF of .*, compression (34925|50000)/],
  [/^tiff\/lab 8 /, /a TIFF of CIELAB/],
  [/^tiff\/ycc 8 /, /a TIFF of YCbCr/],
  [/^tiff\/grey 12 little$/, /a TIFF of grey levels, samples of 12 bits/],
  [/^tiff\/grey signed 8 /, /a TIFF of grey levels, signed samples of 8 bits/],
  [/^tiff\/.* 16 planes /, /samples of 16(, 16)+ bits.*, in planes/],
  [/^tiff\/rgb (8|16) tiles in planes /, /in tiles of planes/],
  [/^tiff\/palette 8 of bytes$/, /a palette of 8-bit levels/],
  [/^tiff\/(signed|float) \d+ > 8$/, /(signed|floating-point) samples of \d+ bits, compressed, big-endian/],
  [/^tiff\/grey alpha 8 planes$/, /samples of 8, 8 bits, extra samples 2, in planes/],
  [/^tiff\/(runs across 200 rows|raw tiles of which one is short)$/, /cannot be read as a picture/],
  [/^png\/frame \(0, 9, 4/, /the first frame of its animation is not the whole picture/],
  [/^avif\/.* matrix (4|7|8) /, /an AVIF of matrix coefficients [478]/],
  [/^pnm\/b'Pf /, /a PFM picture/],
  [/^avif\/alpha premultiplied$/, /an AVIF whose colours were multiplied by its alpha/],
];

async function outcomeOf(cell: Cell): Promise<string> {
  try {
    const { width, height, data } = await decodePicture(bytesOf(cell));
    return `${width} ${height} ${createHash('sha256').update(data).digest('hex')}`;
  } catch (error) {
    if (!(error instanceof Blip2Error)) throw error;
    return `${error.code} ${error.message}`;
  }
}

/** What is wrong about an outcome, or nothing. */
async function fault(cell: Cell): Promise<string | undefined> {
  const outcome = await outcomeOf(cell);
  const refusal = REFUSED.find(([name]) => name.test(cell.name))?.[1];
  if (cell.refused !== undefined) return outcome.startsWith('IMAGE_') ? undefined : `Pillow refuses ${cell.name}`;
  if (refusal !== undefined) return refusal.test(outcome) ? undefined : `${cell.name}: ${outcome}`;
  return outcome === `${cell.width} ${cell.height} ${cell.rgb}` ? undefined : `${cell.name}: ${outcome}`;
}

async function expectNoFault(container: string): Promise<void> {
  const faults = await Promise.all(cells.filter((cell) => cell.container === container).map(fault));
  expect(faults.filter((text) => text !== undefined)).toEqual([]);
}

describe('every cell of the matrix has the pixels that Pillow gives, or is refused by name', () => {
  it.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif', 'bmp', 'pnm'])('%s', expectNoFault);

  it.each([
    ['jpeg', 25],
    ['png', 40],
    ['webp', 10],
  ])('%s, decoded in the thread that asks', async (container, least) => {
    if (!(await decodeHere())) return expect(process.platform).not.toBe('linux');
    const plain = cells.filter(
      (cell) => cell.container === container && decodedHere(bytesOf(cell), MAX_PIXELS) !== null,
    );
    expect(plain.length).toBeGreaterThan(least);
    await expectNoFault(container);
  });

  it('of so many cells', () => {
    const refused = cells.filter(
      (cell) => cell.refused === undefined && REFUSED.some(([name]) => name.test(cell.name)),
    );
    const byPillow = cells.filter((cell) => cell.refused !== undefined);
    expect({ cells: cells.length, refused: refused.length, byPillow: byPillow.length }).toEqual({
      cells: 1595,
      refused: 63,
      byPillow: 374,
    });
    expect(new Set(cells.map(({ name, file }) => `${name} ${file}`)).size).toBeGreaterThan(750);
  });
});

describe('AVIF of kinds that Pillow does not write is refused by name', () => {
  const plain = cells.find(({ name }) => name === 'avif/4:2:0 full');
  const animated = cells.find(({ name }) => name === 'avif/animated');
  /** The file with one name of four letters exchanged for another wherever it stands. */
  const renamed = (cell: Cell | undefined, from: string, to: string): Buffer => {
    const text = Buffer.from(cell?.file ?? '', 'base64').toString('latin1');
    expect(text).toContain(from);
    return Buffer.from(text.replaceAll(from, to), 'latin1');
  };

  it.each([
    ['av01', 'grid', 'an AVIF that is put together from tiles'],
    ['av01', 'iden', 'an AVIF whose picture is of kind "iden"'],
    ['pixi', 'a1lx', 'an AVIF in layers'],
  ])('%s as %s', async (from, to, kind) => {
    const refusal = {
      code: 'IMAGE_UNSUPPORTED',
      message: expect.stringContaining(`is ${kind}, which is not read`) as string,
    };
    await expect(decodePicture(renamed(plain, from, to))).rejects.toMatchObject(refusal);
  });

  it('an animation whose first frame is elsewhere', async () => {
    const refusal = { code: 'IMAGE_UNSUPPORTED', message: expect.stringContaining('an animated AVIF') as string };
    await expect(decodePicture(renamed(animated, 'stco', 'skip'))).rejects.toMatchObject(refusal);
  });
});

describe('files that are damaged', () => {
  /** A cell, cut off or with some bytes changed. */
  const damaged = fc
    .tuple(
      fc.nat(cells.length - 1),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255))),
    )
    .map(([index, kept, changes]) => {
      const bytes = Buffer.from(cells[index]?.file ?? '', 'base64');
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return changes.length > 0 ? bytes : bytes.subarray(0, Math.floor(bytes.length * kept));
    });

  it('give a whole picture or a picture error, whatever is wrong with them', async () => {
    await fc.assert(
      fc.asyncProperty(damaged, async (bytes) => {
        try {
          const { data, width, height } = await decodePicture(bytes, 1_000_000);
          expect(data.length).toBe(3 * width * height);
        } catch (error) {
          expect(error).toBeInstanceOf(Blip2Error);
          expect((error as Blip2Error).code).toMatch(/^IMAGE_/);
        }
      }),
      { numRuns: 800 },
    );
  });
});
