#!/usr/bin/env bash
# sharp 0.35.5: decoding one JPEG of 640 x 480 to raw pixels makes the process wait some 50 to 100 times, with `sharp.concurrency(1)` too: libvips hands the
# picture from its worker to the thread that waits for it strip by strip. `vips_region_fetch` of the same libvips, in the thread that calls it, waits for nobody
# and gives the same bytes.
# Where 16 threads of a process decode a picture each, sharp's wait for each other so: no more pictures a second than with 8, at twice the CPU time.
# Seen with Node 20.20.2 on Linux x64, libvips 8.18.7, koffi 3.3.4, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent --ignore-scripts sharp@0.35.5 koffi@3.3.4 >/dev/null

cat >strips.mjs <<'JS'
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import sharp from 'sharp';

const [width, height, rounds] = [640, 480, 50];
sharp.concurrency(1);
const raw = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 2654435761) >>> 26);
const jpeg = await sharp(raw, { raw: { width, height, channels: 3 } }).jpeg().toBuffer();

const [, path] = /\s(\/\S*libvips-cpp\.so\S*)$/m.exec(readFileSync('/proc/self/maps', 'latin1'));
const libvips = koffi.load(path);
const open = libvips.func('void* vips_image_new_from_buffer(const void*, size_t, const char*, ...)');
const newRegion = libvips.func('void* vips_region_new(void*)');
const fetch = libvips.func('void* vips_region_fetch(void*, int, int, int, int, _Out_ size_t*)');
const [unref, free] = ['g_object_unref', 'g_free'].map((name) => libvips.func(`void ${name}(void*)`));

function here() {
  const image = open(jpeg, jpeg.length, '[access=sequential]', 'void*', null);
  const region = newRegion(image);
  const pixels = fetch(region, 0, 0, width, height, [0]);
  const copy = Buffer.from(koffi.view(pixels, raw.length).slice(0));
  [free(pixels), unref(region), unref(image)];
  return copy;
}

async function waits(decode) {
  await decode();
  const before = process.resourceUsage().voluntaryContextSwitches;
  for (let i = 0; i < rounds; i++) await decode();
  return (process.resourceUsage().voluntaryContextSwitches - before) / rounds;
}

const bySharp = () => sharp(jpeg).raw().toBuffer();
const isSame = here().equals(await bySharp());
const [sharps, own] = [await waits(bySharp), await waits(here)];
console.log(`waits a picture: sharp ${sharps.toFixed(1)}, vips_region_fetch ${own.toFixed(1)}; the same pixels: ${isSame}`);
process.exit(isSame && sharps > 15 && own < 5 ? 0 : 1);
JS
node strips.mjs
