import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../../src/loader/index.js';
import { checkpointFingerprint } from '../../src/loader/checkpoint/fingerprint.js';
import { SourceFiles } from '../../src/loader/file/source-files.js';
import { sideFilesIn } from '../../src/loader/shard/side-files.js';

/**
 * So many places of each tensor are read, evenly from its first byte to its last: what changes a seventh of a tensor in a row is
 * seen for certain, and so is another training, which changes all of it. Times of files say nothing: a copy has others.
 */
const PLACES = 8;
const PLACE_BYTES = 4096;

/** Headers, the files beside the weights, and a sample of each tensor: the same wherever the checkpoint lies, and in whatever shards. */
export async function contentsHash(checkpoint: Checkpoint): Promise<string> {
  const hash = createHash('sha256').update(checkpointFingerprint(checkpoint));
  for (const name of (await sideFilesIn(checkpoint.folder)).toSorted()) {
    hash.update(`\n${name}\n`).update(await readFile(join(checkpoint.folder, name)));
  }
  await using sources = new SourceFiles();
  for (const [, { file, begin, end }] of [...checkpoint.tensors].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const source = await sources.get(file);
    const places = samplePlaces(begin, end).map(([from, to]) => source.read(from, to));
    for (const bytes of await Promise.all(places)) hash.update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}

function samplePlaces(begin: number, end: number): (readonly [number, number])[] {
  if (end - begin <= PLACES * PLACE_BYTES) return [[begin, end]];
  const step = (end - begin - PLACE_BYTES) / (PLACES - 1);
  return Array.from({ length: PLACES }, (_, place) => {
    const from = begin + Math.floor(place * step);
    return [from, from + PLACE_BYTES];
  });
}
