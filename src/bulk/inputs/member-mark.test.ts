import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TarPicture } from './input-picture.js';
import { PictureReader } from './picture-reader.js';
import { tarPictures } from './tar-input.js';

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-member-mark-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const SIZES = [0, 1, 512, 1536, 1537, 100_000];

async function all(path: string): Promise<TarPicture[]> {
  const pictures: TarPicture[] = [];
  for await (const picture of tarPictures(path)) pictures.push(picture);
  return pictures;
}

/** Lists an archive of these members, of one name in all tests. */
async function listed(members: readonly Buffer[], { seconds = 0, isPacked = false } = {}): Promise<TarPicture[]> {
  const archive = pack();
  for (const [index, bytes] of members.entries()) {
    archive.entry({ name: `${index}.png`, mtime: new Date(1000 * seconds) }, bytes);
  }
  archive.finalize();
  const bytes = await buffer(archive);
  await writeFile(join(scratch, 'a.tar'), isPacked ? gzipSync(bytes) : bytes);
  return all(join(scratch, 'a.tar'));
}

const changed = (bytes: Buffer, at: number): Buffer => {
  const other = Buffer.from(bytes);
  other.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return other;
};

describe.each([false, true])('an archive, packed: %s', (isPacked) => {
  it('that is made again of the same files is the same, whatever their times', async () => {
    const members = SIZES.map((size) => randomBytes(size));
    const first = await listed(members, { isPacked });
    expect(first.map(({ size }) => size)).toEqual(SIZES);
    expect(await listed(members, { isPacked, seconds: 1e9 })).toEqual(first);
    await using reader = new PictureReader();
    for (const [index, picture] of first.entries()) {
      const { source } = await reader.find(picture);
      expect(Buffer.from(source).equals(members[index] ?? Buffer.of(1))).toBe(true);
    }
  });

  it('of other files is another one, where their names and sizes are the same, too', async () => {
    const members = SIZES.map((size) => randomBytes(size));
    const first = await listed(members, { isPacked });
    const others = members.map((bytes) => (bytes.length === 0 ? bytes : changed(bytes, bytes.length - 1)));
    const second = await listed(others, { isPacked });
    const place = ({ name, offset, size }: TarPicture) => [name, offset, size];
    expect(second.map(place)).toEqual(first.map(place));
    const same = second.filter(({ mark }, index) => mark === first[index]?.mark);
    expect(same.map(({ size }) => size)).toEqual([0]);
    await using reader = new PictureReader();
    for (const picture of first.slice(1)) {
      await expect(reader.find(picture)).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    }
  });
});

it('is of the beginning, the middle and the end', async () => {
  const bytes = randomBytes(100_000);
  const marks = new Set<string | undefined>();
  for (const each of [bytes, ...[0, 511, 49_800, 50_200, 99_999].map((at) => changed(bytes, at))]) {
    for (const { mark } of await listed([each])) marks.add(mark);
  }
  expect(marks.size).toBe(6);
});

it('an archive without a byte is refused, as tarfile refuses it: its download ended before it began', async () => {
  const path = join(scratch, 'a.tar');
  await writeFile(path, '');
  await expect(all(path)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
});
