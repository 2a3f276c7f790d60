#!/usr/bin/env bash
# onnx-proto 8.0.1 (with protobufjs 6.11) takes BigInt for 64-bit integers, which its own decoder's Long values and plain
# numbers stand for too, and encodes every one as 0: no error, and the model's shapes and attributes are others. Needs npm.
# Exits 1 once that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund onnx-proto@8.0.1
cat >run.cjs <<'JS'
const { AttributeProto, TensorProto } = require('onnx-proto').onnx;
const version = (name) => require(`${name}/package.json`).version;
console.log(`onnx-proto ${version('onnx-proto')}, protobufjs ${version('protobufjs')}, Node ${process.version}`);
const attribute = (i) => String(AttributeProto.decode(AttributeProto.encode({ name: 'axis', i }).finish()).i);
const dims = (size) => String(TensorProto.decode(TensorProto.encode({ dims: [size] }).finish()).dims);
for (const value of [7, 7n, 2n ** 53n + 1n]) {
  console.log(`${typeof value} ${value}: an attribute of ${attribute(value)}, a tensor of [${dims(value)}]`);
}
const isAsFound = attribute(7) === '7' && attribute(7n) === '0' && dims(7n) === '0';
console.log(isAsFound ? 'as found: every BigInt is 0' : 'not as found');
process.exitCode = isAsFound ? 0 : 1;
JS
node run.cjs
