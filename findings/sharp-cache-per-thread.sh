#!/usr/bin/env bash
# sharp 0.35.5: libvips' cache is the process's, and every thread that loads sharp turns it on again: `sharp.cache(false)` holds until
# the next worker loads sharp.
# dist/utility.cjs calls `cache(true)` as it is loaded, which is once a thread; the limits that it sets are of the whole process.
# Seen with Node 20.20.2 on Linux x64, libvips 8.18.7, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent sharp@0.35.5 >/dev/null

cat >cache.cjs <<'JS'
const { Worker } = require('node:worker_threads');
const sharp = require('sharp');

const most = () => ({ megabytes: sharp.cache().memory.max, items: sharp.cache().items.max });
sharp.cache(false);
const before = most();
new Worker("require('sharp')", { eval: true }).on('exit', () => {
  const after = most();
  console.log(`before a thread loads sharp ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  process.exit(before.items === 0 && after.items > 0 ? 0 : 1);
});
JS
node cache.cjs
