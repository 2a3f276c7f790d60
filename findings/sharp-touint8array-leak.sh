#!/usr/bin/env bash
# sharp 0.35.5: what `toUint8Array()` returns is a copy, and the original is never freed: each call leaks as many bytes as it
# returns. `toBuffer()` of the same pictures leaks nothing.
# In src/pipeline.cc the original is released by `sharp::FreeCallback(bufferOut, nullptr)`, whose second argument, not the first,
# is what it frees (src/common.cc).
# Seen with Node 20.20.2 on Linux x64, libvips 8.18.7, 2026-11-28. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent sharp@0.35.5 >/dev/null

cat >leak.cjs <<'JS'
const sharp = require('sharp');
const CALLS = 600;
const BYTES = 640 * 480 * 3;

/** Growth of resident memory per call, in units of what a call returns, after all garbage is collected. */
async function growth(output) {
  const picture = await sharp({ create: { width: 640, height: 480, channels: 3, background: 'red' } }).jpeg().toBuffer();
  const collected = async () => {
    for (let i = 0; i < 5; i++) {
      global.gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return process.memoryUsage.rss();
  };
  const run = async (calls) => {
    for (let i = 0; i < calls; i++) {
      if ((await output(sharp(picture).raw())).length !== BYTES) throw new Error('another number of bytes');
    }
  };
  await run(50);
  const before = await collected();
  await run(CALLS);
  return ((await collected()) - before) / CALLS / BYTES;
}

(async () => {
  sharp.cache(false);
  const buffer = await growth((pixels) => pixels.toBuffer());
  const array = await growth(async (pixels) => (await pixels.toUint8Array()).data);
  console.log(`Node ${process.version}, sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`);
  console.log(`resident memory grows per call, in pictures: toBuffer ${buffer.toFixed(2)}, toUint8Array ${array.toFixed(2)}`);
  process.exitCode = buffer < 0.3 && array > 0.8 ? 0 : 1;
})();
JS
node --expose-gc leak.cjs
