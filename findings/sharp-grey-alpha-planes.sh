#!/usr/bin/env bash
# sharp 0.35.5 (libvips 8.18.7) scrambles a TIFF of grey levels and alpha that lie in two planes (PlanarConfiguration 2): of the
# levels only the first row is right, every other one of the next is alpha, and the last ones are missing. No error under any `failOn`. Three planes of red, green and
# blue are read as they are, and so are grey levels and alpha that alternate in one plane (PlanarConfiguration 1).
# Seen with Node 20.20.2 on Linux x64, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent sharp@0.35.5 >/dev/null

cat >look.cjs <<'JS'
const sharp = require('sharp');
const [WIDTH, HEIGHT] = [5, 4];

/** Uncompressed; each plane is a strip. @param planes arrays of WIDTH x HEIGHT bytes */
function tiff(planes, planar) {
  const samples = planes.length;
  const strips = planar ? planes : [Uint8Array.from({ length: WIDTH * HEIGHT * samples }, (_, i) => planes[i % samples][Math.floor(i / samples)])];
  const more = [];
  const begin = 8 + samples * WIDTH * HEIGHT + (samples * WIDTH * HEIGHT) % 2;
  const tags = {
    256: [WIDTH], 257: [HEIGHT], 258: planes.map(() => 8), 259: [1], 262: [samples === 2 ? 1 : 2],
    273: strips.map((_, i) => 8 + i * WIDTH * HEIGHT), 277: [samples], 278: [HEIGHT], 279: strips.map(({ length }) => length),
    284: [planar ? 2 : 1], ...(samples === 2 ? { 338: [2] } : {}),
  };
  const farAt = begin + 2 + 12 * Object.keys(tags).length + 4;
  const entries = Object.entries(tags).map(([tag, values]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(Number(tag), 0);
    entry.writeUInt16LE(4, 2);
    entry.writeUInt32LE(values.length, 4);
    entry.writeUInt32LE(values.length === 1 ? values[0] : farAt + more.length * 4, 8);
    if (values.length > 1) more.push(...values);
    return entry;
  });
  const head = Buffer.alloc(8);
  head.write('II*\0', 'latin1');
  head.writeUInt32LE(begin, 4);
  const data = Buffer.concat(strips);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(entries.length);
  const far = Buffer.from(Uint32Array.from(more).buffer);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2), count, ...entries, Buffer.alloc(4), far]);
}

(async () => {
  const plane = (first) => Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => first + i);
  const right = [];
  for (const planes of [[plane(0), plane(100)], [plane(0), plane(100), plane(200)]]) {
    for (const planar of [false, true]) {
      const { data, info } = await sharp(tiff(planes, planar), { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
      // Grey becomes red, green and blue.
      const first = Array.from({ length: WIDTH * HEIGHT }, (_, i) => data[i * info.channels]);
      const rows = Array.from({ length: HEIGHT }, (_, y) => first.slice(y * WIDTH, (y + 1) * WIDTH));
      right.push(rows.map((row, y) => row.every((level, x) => level === planes[0][y * WIDTH + x])));
      console.log(`${planes.length} samples${planar ? ' in planes' : ''}: first sample`, JSON.stringify(rows));
    }
  }
  const all = [true, true, true, true];
  const expected = [all, [true, false, false, false], all, all];
  if (JSON.stringify(right) !== JSON.stringify(expected)) process.exit(1);
})();
JS
node look.cjs
echo "as described"
