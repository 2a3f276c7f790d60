#!/usr/bin/env bash
# sharp 0.35.5 (libvips 8.18.7): of a TIFF in tiles that JPEG packs, a tile of more than twice the bytes that its pixels take is
# decoded from its first so many bytes, and what they do not reach is made up, without an error under any `failOn`. Such
# tiles are usual where each is a whole JPEG stream with tables of its own (some 330 bytes) and tiles are small: 16 x 16 grey levels are 256 bytes.
# libvips decodes these tiles itself, out of a buffer of twice the tile, and takes what fits for all (tiff2vips.c, rtiff_read_tile).
# The same streams as strips are read whole, as libtiff decodes those.
# Seen with Node 20.20.2 on Linux x64, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent sharp@0.35.5 >/dev/null

cat >look.cjs <<'JS'
const sharp = require('sharp');
const SIDE = 16;

/** A TIFF of one tile, or of one strip. */
function tiff(stream, tiled) {
  const tags = { 256: SIDE, 257: SIDE, 258: 8, 259: 7, 262: 1, 277: 1 };
  Object.assign(tags, tiled ? { 322: SIDE, 323: SIDE, 324: 8, 325: stream.length } : { 273: 8, 278: SIDE, 279: stream.length });
  const entries = Object.entries(tags).map(([tag, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(Number(tag), 0);
    entry.writeUInt16LE(4, 2);
    entry.writeUInt32LE(1, 4);
    entry.writeUInt32LE(value, 8);
    return entry;
  });
  const data = Buffer.concat([stream, Buffer.alloc(stream.length % 2)]);
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  head.writeUInt32LE(8 + data.length, 4);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(entries.length);
  return Buffer.concat([head, data, count, ...entries, Buffer.alloc(4)]);
}

async function levels(file) {
  return sharp(file, { failOn: 'warning' }).toColourspace('b-w').raw().toBuffer();
}

(async () => {
  // Noise, the same each time (xorshift32).
  let state = 1;
  const noise = Uint8Array.from({ length: SIDE * SIDE }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    return (state ^= state << 5) >>> 24;
  });
  const wrong = [];
  for (const quality of [10, 50, 100]) {
    const stream = await sharp(noise, { raw: { width: SIDE, height: SIDE, channels: 1 } }).toColourspace('b-w').jpeg({ quality, optimiseCoding: false }).toBuffer();
    const [jpeg, strip, tile] = [await levels(stream), await levels(tiff(stream, false)), await levels(tiff(stream, true))];
    if (!jpeg.equals(strip)) throw new Error('a strip is not what its stream holds');
    const differing = tile.filter((level, i) => level !== jpeg[i]).length;
    wrong.push(differing > 0);
    const long = stream.length > 2 * SIDE * SIDE;
    console.log(`quality ${quality}, ${stream.length} bytes${long ? ', more than 512' : ''}: ${differing} of ${tile.length} levels of the tile are wrong`);
    if (long !== differing > 0) process.exit(1);
  }
  if (!wrong.includes(true) || !wrong.includes(false)) process.exit(1);
})();
JS
node look.cjs
echo "as described"
