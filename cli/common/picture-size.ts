import type { PictureSize } from '../../src/runtime/index.js';
import { usageError } from './main.js';

/** For `coerce`: `364` is a square, `364x224` is width by height. */
export function pictureSize(value: unknown): PictureSize | undefined {
  if (value === undefined) return undefined;
  const [, width, height = width] = /^(\d+)(?:x(\d+))?$/i.exec(typeof value === 'string' ? value : '') ?? [];
  const size = { width: Number(width), height: Number(height) };
  if (Number.isSafeInteger(size.width) && Number.isSafeInteger(size.height) && size.width > 0 && size.height > 0)
    return size;
  throw usageError(`--picture-size takes pixels, such as 364 or 364x224, not ${JSON.stringify(value)}`);
}
