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

/** One number or two, or by name; of edges, a picture as wide as it may become, and where only its longest is said, a square. */
function sidesOf(size: unknown): PictureSize | null {
  if (typeof size === 'number') return whole(size, size);
  if (Array.isArray(size)) return whole(size[0], size[1]);
  const named = asConfig(size);
  const longest = numberOf(named, 'longest_edge');
  const shortest = numberOf(named, 'shortest_edge') ?? longest;
  return (
    whole(named['height'], named['width']) ??
    whole(named['max_height'], named['max_width']) ??
    whole(shortest, longest ?? shortest)
  );
}

/** JPEG's. Processors that bound a picture's area write pixels where others have an edge. */
const MOST_SIDE = 65_535;

function whole(height: unknown, width: unknown): PictureSize | null {
  const isSide = (side: unknown): side is number =>
    Number.isInteger(side) && Number(side) > 0 && Number(side) <= MOST_SIDE;
  return isSide(height) && isSide(width) ? { height, width } : null;
}
