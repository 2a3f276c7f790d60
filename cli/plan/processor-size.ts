/** The size that pictures are brought to, as the processor beside a checkpoint says it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asConfig, numberOf, type AnyConfig } from '../../src/planner/models/model-config.js';
import type { PictureSize } from '../../src/runtime/index.js';

/** As transformers 5 looks for it: the second only where the first says nothing of pictures. */
const FILES = ['processor_config.json', 'preprocessor_config.json'];

/** null where no file says it, or no plain size: what cannot be read is no reason not to plan. */
export async function processorSize(folder: string): Promise<PictureSize | null> {
  for (const name of FILES) {
    const said = asConfig(await jsonIn(join(folder, name)));
    const nested = said['image_processor'];
    if (name === FILES[0] && (typeof nested !== 'object' || nested === null)) continue;
    return sizeOf(name === FILES[0] ? asConfig(nested) : said);
  }
  return null;
}

async function jsonIn(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => 'null');
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function sizeOf(settings: AnyConfig): PictureSize | null {
  const cropped = settings['do_center_crop'] === true ? sidesOf(settings['crop_size']) : null;
  return cropped ?? (settings['do_resize'] === false ? null : sidesOf(settings['size']));
}

/** One number or two, or by name; of edges, a picture as wide as it may become. */
function sidesOf(size: unknown): PictureSize | null {
  if (typeof size === 'number') return whole(size, size);
  if (Array.isArray(size)) return whole(size[0], size[1]);
  const named = asConfig(size);
  const edge = numberOf(named, 'shortest_edge');
  return (
    whole(named['height'], named['width']) ??
    (edge === null ? null : whole(edge, numberOf(named, 'longest_edge') ?? edge))
  );
}

function whole(height: unknown, width: unknown): PictureSize | null {
  const isSide = (side: unknown): side is number => typeof side === 'number' && Number.isSafeInteger(side) && side > 0;
  return isSide(height) && isSide(width) ? { height, width } : null;
}
