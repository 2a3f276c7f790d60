#!/usr/bin/env bash
# onnxruntime-node 1.30.0, WebGPU: a recorded run (`enableGraphCapture`, `gpu_graph_id`) replays kernels and no copies between buffers. A
# `Reshape` between two kernels is none, but one whose result is an output of the graph is a copy into the caller's buffer: that output stays
# as it was when the run was recorded, whatever the inputs are. No error and no warning; the runs say that all went well. A session that has any
# node on the CPU is refused instead, with words.
# Of a decoder this is its head: logits that end in a `Reshape` give one token again and again.
#
# Needs a Vulkan loader and an adapter; SwiftShader, which Debian's chromium brings, will do (VK_ICD_FILENAMES at its json, XDG_RUNTIME_DIR
# set). Through the C API, because the Node binding binds no buffers of the device.
# Seen with Node 20.20.2, koffi 3.1.2, Linux x64, SwiftShader, 2026-11-29; a decoder on an H200 did the same. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent --onnxruntime-node-install=skip onnxruntime-node@1.30.0 koffi@3.1.2 >/dev/null
python3 -m venv venv
venv/bin/pip install --quiet onnx==1.23.2
venv/bin/python - <<'PY'
from onnx import TensorProto, helper, save

FLOAT = TensorProto.FLOAT
for name, last in [("kernel", "Relu"), ("copy", "Reshape")]:
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [4, 1])
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Reshape", ["twice", "shape"], ["turned" if last == "Relu" else "y"]),
    ]
    if last == "Relu":
        nodes.append(helper.make_node("Relu", ["turned"], ["y"]))
    x = helper.make_tensor_value_info("x", FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", FLOAT, [4, 1])
    graph = helper.make_graph(nodes, name, [x], [y], [shape])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), f"{name}.onnx")
PY

cat >replay.cjs <<'JS'
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const koffi = require('koffi');
const folder = join(__dirname, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
const library = koffi.load(join(folder, 'libonnxruntime.so.1'));
const [getApi] = koffi.decode(library.func('void* OrtGetApiBase()')(), koffi.array('void*', 2));
const table = koffi.decode(koffi.call(getApi, koffi.proto('void* (uint32_t)'), 24), koffi.array('void*', 387));
const messageOf = koffi.decode(table[2], koffi.proto('str (void*)'));
// Positions in OrtApi, onnxruntime_c_api.h.
const api = (index, parameters) => {
  const native = koffi.decode(table[index], koffi.proto(`void* (${parameters})`));
  return (...given) => {
    const status = native(...given);
    if (status) throw new Error(messageOf(status));
  };
};
const made = (index, parameters) => (...given) => {
  const out = [null];
  api(index, `${parameters}${parameters ? ', ' : ''}_Out_ void**`)(...given, out);
  return out[0];
};

const env = made(3, 'int, str')(3, 'look');
const createOptions = made(10, '');
const append = api(216, 'void*, str, str*, str*, size_t');
const createSession = made(8, 'void*, void*, size_t, void*');
const createRunOptions = made(39, '');
const addRunEntry = api(165, 'void*, str, str');
const memoryInfo = made(68, 'str, int, int, int');
const createAllocator = made(131, 'void*, void*');
const allocate = made(75, 'void*, size_t');
const createValue = made(49, 'void*, void*, size_t, int64_t*, size_t, int');
const createBinding = made(134, 'void*');
const bindInput = api(136, 'void*, str, void*');
const bindOutput = api(137, 'void*, str, void*');
const run = api(133, 'void*, void*, void*');
const copy = api(386, 'void*, void**, void**, void*, size_t');

const [FLOAT, BYTES, RUNS] = [1, 16, 4];
const host = memoryInfo('Cpu', 1, 0, 0);
const device = memoryInfo('WebGPU_Buf', 0, 0, 0);

function answers(name, records) {
  const model = readFileSync(join(__dirname, `${name}.onnx`));
  const options = createOptions();
  append(options, 'WebGPU', records ? ['enableGraphCapture'] : [], records ? ['1'] : [], records ? 1 : 0);
  const session = createSession(env, model, model.length, options);
  const allocator = createAllocator(session, device);
  const value = (memory, address, dims) => createValue(memory, address, BYTES, BigInt64Array.from(dims), 2, FLOAT);
  const given = new Float32Array(4);
  const found = new Float32Array(4);
  const [x, y] = [value(device, allocate(allocator, BYTES), [1n, 4n]), value(device, allocate(allocator, BYTES), [4n, 1n])];
  const [fromHost, toHost] = [value(host, given, [1n, 4n]), value(host, found, [4n, 1n])];
  const binding = createBinding(session);
  bindInput(binding, 'x', x);
  bindOutput(binding, 'y', y);
  const runOptions = createRunOptions();
  if (records) addRunEntry(runOptions, 'gpu_graph_id', '1');
  const seen = [];
  for (let i = 1; i <= RUNS; i++) {
    given.fill(i);
    copy(env, [fromHost], [x], null, 1);
    run(session, runOptions, binding);
    copy(env, [y], [toHost], null, 1);
    seen.push(found[0]);
  }
  return seen.join(' ');
}

const rows = ['kernel', 'copy'].map((name) => [name, answers(name, false), answers(name, true)]);
for (const [name, asked, replayed] of rows) console.log(`twice 1 2 3 4, ends in a ${name}: run ${asked}; recorded ${replayed}`);
const [[, ...kernel], [, ...copied]] = rows;
const isRight = [...kernel, copied[0]].every((each) => each === '2 4 6 8');
process.exit(isRight && copied[1] === '2 2 2 2' ? 0 : 1);
JS
node replay.cjs
echo "as described"
