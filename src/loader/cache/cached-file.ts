/** How files of the cache are called, and what they say about themselves. */
import * as z from 'zod';

/** The key of a file's metadata under which it lists the stamps of the files that it is made of. */
export const SOURCES = 'made_of';

export function cachedName(id: string): string {
  return `${id}.safetensors`;
}

/** The id in a file's name; null where the name is no cached file's. */
export function cachedId(name: string): string | null {
  return /^([0-9a-f]{32})\.safetensors$/.exec(name)?.[1] ?? null;
}

const stampsSchema = z.array(z.string());
const stampSchema = z.tuple([z.string(), z.string(), z.string()]);

/** A file that a cached one is made of, and how it was then. */
export interface SourceStamp {
  readonly path: string;
  readonly stamp: string;
}

/** Empty where the file does not say. */
export function parseSources(metadata: ReadonlyMap<string, string>): SourceStamp[] {
  try {
    const stamps = stampsSchema.parse(JSON.parse(metadata.get(SOURCES) ?? '[]'));
    return stamps.map((stamp) => ({ path: stampSchema.parse(JSON.parse(stamp))[0], stamp }));
  } catch {
    return [];
  }
}
