#!/usr/bin/env bash
# hyparquet-compressors 1.1.2: a block of LZ4 that holds nothing is not read. LZ4 writes one byte for it, a token of no
# literals, as liblz4 does (here by the Python package lz4 4.4.5) and pyarrow in every Parquet page without a value, such as
# those of a column of nulls. Both LZ4 and LZ4_RAW take the token for a match and throw "lz4 offset out of range 0".
# Seen with Node 20.20.2 and Python 3.11.7 on Linux x64, 2026-11-28. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check lz4==4.4.5
npm init -y >/dev/null
npm install --no-audit --no-fund --silent hyparquet-compressors@1.1.2 >/dev/null

nothing=$(venv/bin/python -c 'import lz4.block; print(lz4.block.compress(b"", store_size=False).hex())')
venv/bin/python -c "import lz4.block; assert lz4.block.decompress(bytes.fromhex('$nothing'), uncompressed_size=0) == b''"

cat >nothing.mjs <<'JS'
import { compressors } from 'hyparquet-compressors';
const block = Uint8Array.from(Buffer.from(process.argv[2], 'hex'));
const answers = ['LZ4', 'LZ4_RAW'].map((codec) => {
  try {
    return `${codec}: ${compressors[codec](block, 0).length} bytes`;
  } catch (error) {
    return `${codec}: ${error.message}`;
  }
});
console.log(`liblz4 makes ${process.argv[2]} of nothing; ${answers.join('; ')}`);
process.exitCode = answers.every((answer) => answer.endsWith('lz4 offset out of range 0')) ? 0 : 1;
JS
node nothing.mjs "$nothing"
