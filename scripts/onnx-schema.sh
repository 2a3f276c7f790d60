#!/usr/bin/env bash
# Makes src/runtime/onnx/onnx_pb.ts again: TypeScript of ONNX's own schema, by the generator of the protobuf library that
# reads it. Needs pip and npx. The schema is onnx.proto as the Python package "onnx" ships it (Apache-2.0); its comments,
# two thirds of its length, are left out. Take the generator of the version that package.json has of @bufbuild/protobuf.
set -euo pipefail
cd "$(dirname "$0")/.."
onnx=1.23.2
protobuf=2.17.0
buf=1.75.0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$scratch" "onnx==$onnx"
python3 -m zipfile -e "$scratch"/onnx-*.whl "$scratch/wheel"
mkdir "$scratch/schema"
# In the schema's proto2 form lists of numbers are not packed, in its proto3 form they are: that is shorter, and every reader
# of protobuf reads both.
sed -E 's/^( *repeated (float|int64) [a-z_]+ = [0-9]+);/\1 [packed = true];/' \
  "$scratch/wheel/onnx/onnx.proto" >"$scratch/schema/onnx.proto"
cat >"$scratch/generate.yaml" <<YAML
version: v2
plugins:
  - local: protoc-gen-es
    out: src/runtime/onnx
    opt: [target=ts, import_extension=js, erasable_syntax=true]
YAML
npx --yes --package "@bufbuild/buf@$buf" --package "@bufbuild/protoc-gen-es@$protobuf" --call "
  buf build '$scratch/schema' --exclude-source-info --output '$scratch/schema.binpb' &&
  buf generate '$scratch/schema.binpb' --template '$scratch/generate.yaml'"
generated=src/runtime/onnx/onnx_pb.ts
printf '// SPDX-License-Identifier: Apache-2.0\n// The schema of ONNX %s; scripts/onnx-schema.sh makes this file.\n%s\n' "$onnx" "$(cat "$generated")" >"$generated"
