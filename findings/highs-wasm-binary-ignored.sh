#!/usr/bin/env bash
# highs 1.15.3: its types and README offer `wasmBinary`, the bytes of its WebAssembly, and `wasmModule`, for where none can be
# fetched. The loader looks at neither: it fetches `highs.wasm` all the same. `locateFile` works. Needs npm. Exits 1 once that has
# changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund highs@1.15.3
grep -n 'wasmBinary?:\|wasmModule?:' node_modules/highs/types.d.ts
cat >run.mjs <<'JS'
import { readFileSync, renameSync } from 'node:fs';
import loadHighs from 'highs';
const folder = 'node_modules/highs/build/';
const wasmBinary = readFileSync(`${folder}highs.wasm`);
renameSync(`${folder}highs.wasm`, `${folder}moved.wasm`);
const outcome = async (options) => {
  try {
    const { Status } = (await loadHighs(options)).solve('Minimize\n obj: x\nSubject To\n c: x >= 2\nEnd');
    return `solves: ${Status}`;
  } catch (error) {
    return `fails: ${String(error.message ?? error).slice(0, 90)}`;
  }
};
// What the runtime prints of its own failure is said below.
console.error = () => undefined;
const given = await outcome({ wasmBinary });
const compiled = await outcome({ wasmModule: await WebAssembly.compile(wasmBinary) });
const located = await outcome({ locateFile: () => `${folder}moved.wasm` });
console.log(`wasmBinary: ${given}\nwasmModule: ${compiled}\nlocateFile: ${located}`);
const isAsFound = given.startsWith('fails') && compiled.startsWith('fails') && located.startsWith('solves');
console.log(isAsFound ? 'as found: the bytes are ignored' : 'not as found');
process.exitCode = isAsFound ? 0 : 1;
JS
node run.mjs
