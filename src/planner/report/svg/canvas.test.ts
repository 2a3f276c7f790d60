import sharp from 'sharp';
import { expect, it } from 'vitest';
import { Canvas } from './canvas.js';

it('is dark text on white paper for viewers without custom properties of CSS', async () => {
  const canvas = new Canvas();
  canvas.section('Memory');
  const { data, info } = await sharp(Buffer.from(canvas.toSvg('a plan')))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([...data.subarray(0, info.channels)]).toEqual([255, 255, 255]);
  expect(Math.min(...data)).toBeLessThan(100);
});
