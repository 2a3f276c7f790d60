/**
 * Memory and time of a tar archive in a bucket: `node bench/bulk/bucket.mjs BUCKET [members]`, with a store as for `s3://`. Writes
 * an archive of members of 300 kB there, lists it, and reads all of them, in their order.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { Bucket } from '../../dist/src/bulk/bucket/bucket.js';
import { listInputs } from '../../dist/src/bulk/inputs/list-inputs.js';
import { PictureReader } from '../../dist/src/bulk/inputs/picture-reader.js';

const [name, members = '2000'] = process.argv.slice(2);
if (name === undefined) throw new Error('which bucket?');
const scratch = await mkdtemp(join(tmpdir(), 'blip2-bucket-'));
const file = join(scratch, 'archive.tar');
const archive = pack();
const written = pipeline(archive, createWriteStream(file));
const bytes = randomBytes(300_000);
for (let member = 0; member < Number(members); member++) {
  await new Promise((resolve) => archive.entry({ name: `${member}.jpg` }, bytes, resolve));
}
archive.finalize();
await written;
const bucket = await Bucket.open(name);
await bucket.upload('archive.tar', file);
await rm(scratch, { recursive: true });

let mostBytes = 0;
const look = () => (mostBytes = Math.max(mostBytes, process.memoryUsage().rss));
const mib = (size) => Math.round(size / 2 ** 20);
const before = process.memoryUsage().rss;
const began = performance.now();
const pictures = [];
for await (const picture of listInputs([`s3://${name}/archive.tar`], { expand: (argument) => [argument] })) {
  pictures.push(picture);
  look();
}
const listed = performance.now();
const reader = new PictureReader();
for (const picture of pictures) {
  const { source } = await reader.find(picture);
  if (source.length !== bytes.length) throw new Error(`${source.length} bytes`);
  look();
}
const seconds = (from, to) => ((to - from) / 1000).toFixed(1);
console.log(
  `${pictures.length} members: ${mib(before)} MiB before, ${mib(mostBytes)} at most; listed in ${seconds(began, listed)} s, read in ${seconds(listed, performance.now())} s`,
);
await reader[Symbol.asyncDispose]();
await bucket.remove('archive.tar');
bucket.close();
