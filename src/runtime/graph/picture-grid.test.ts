import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../loader/index.js';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { pictureGrid } from './picture-grid.js';

const { config } = await openCheckpoint(join(import.meta.dirname, '../../../models/demo'));
const { vision } = parseBlip2Config(config);
const noTable = () => Promise.reject(new Error('the table is not needed'));

describe('the grid of a picture', () => {
  it('takes the positions of the checkpoint where they fit', async () => {
    const side = Math.floor(vision.imageSize / vision.patchSize);
    expect(await pictureGrid(vision, undefined, noTable)).toEqual({ rows: side, columns: side, positions: null });
  });

  it.each([1, 1_000_000])('is refused for pictures of %i pixels, before the table is read', async (pixels) => {
    const size = { height: pixels, width: pixels };
    await expect(pictureGrid(vision, size, noTable)).rejects.toMatchObject({ code: 'IMAGE_SIZE' });
  });
});
