import { mkdir, mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/loader/index.js';
import { contentsHash } from './contents-hash.js';

const root = await mkdtemp(join(tmpdir(), 'contents-'));
afterAll(() => rm(root, { recursive: true }));

const LARGE_BYTES = 1 << 20;
const SMALL_BYTES = 20_000;
const header = JSON.stringify({
  large: { dtype: 'U8', shape: [LARGE_BYTES], data_offsets: [0, LARGE_BYTES] },
  small: { dtype: 'U8', shape: [SMALL_BYTES], data_offsets: [LARGE_BYTES, LARGE_BYTES + SMALL_BYTES] },
});
const headerBytes = Buffer.concat([
  new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer),
  Buffer.from(header),
]);
const weights = Uint8Array.from({ length: LARGE_BYTES + SMALL_BYTES }, (_, i) => (i * 7919) >> 5);

/** The hash of the checkpoint, some of whose bytes are others. */
async function hashWith(
  changed: { readonly at: number; readonly bytes: number } | null,
  seconds = 1_700_000_000,
): Promise<string> {
  const folder = await mkdtemp(join(root, 'model-'));
  const path = join(folder, 'model.safetensors');
  await writeFile(path, Buffer.concat([headerBytes, weights]));
  await writeFile(join(folder, 'config.json'), '{"model_type":"blip-2"}');
  if (changed !== null) {
    await using file = await open(path, 'r+');
    const others = weights.slice(changed.at, changed.at + changed.bytes).map((byte) => byte ^ 1);
    await file.write(others, 0, others.length, headerBytes.length + changed.at);
  }
  await utimes(path, seconds, seconds);
  return contentsHash(await openCheckpoint(folder));
}

describe('the hash of a checkpoint', async () => {
  const own = await hashWith(null);

  it.each([
    ['the first byte of a large tensor', 0, 1],
    ['the last byte of a large tensor', LARGE_BYTES - 1, 1],
    ...Array.from({ length: 6 }, (_, seventh) => {
      const bytes = Math.ceil(LARGE_BYTES / 7);
      return [`a seventh of a large tensor, from ${seventh}/7`, seventh * bytes, bytes] as const;
    }),
    ['all but the beginning of a large tensor', 8192, LARGE_BYTES - 8192],
    ['the last byte of a small tensor', LARGE_BYTES + SMALL_BYTES - 1, 1],
    ['a byte within a small tensor', LARGE_BYTES + 9999, 1],
  ] as const)('is another where %s changed', async (_, at, bytes) => {
    expect(await hashWith({ at, bytes })).not.toBe(own);
  });

  it('is another where the second tokenizer of an InstructBLIP changed', async () => {
    const hashes = new Set<string>();
    for (const vocabulary of ['{}', '{"a":0}', '{"b":0}']) {
      const folder = await mkdtemp(join(root, 'model-'));
      await writeFile(join(folder, 'model.safetensors'), Buffer.concat([headerBytes, weights]));
      await writeFile(join(folder, 'config.json'), '{"model_type":"instructblip"}');
      await mkdir(join(folder, 'qformer_tokenizer'));
      await writeFile(join(folder, 'qformer_tokenizer/tokenizer.json'), vocabulary);
      hashes.add(await contentsHash(await openCheckpoint(folder)));
    }
    expect(hashes.size).toBe(3);
  });

  it('is that of a copy elsewhere, whose files have other times', async () => {
    expect(await hashWith(null, 1)).toBe(own);
  });
});
