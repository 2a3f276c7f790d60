#!/usr/bin/env bash
# onnxruntime 1.30.0 on the CPU: `MatMulNBits` of 4 bits takes a hundred times as long where its weights are inputs of the graph as
# where they are constants of it (one row, 2560 x 10240, two threads, Linux x64: 4 ms and 300 to 500). Constants are packed once; of an
# input each run makes a matrix of floats. A program that shares one session among the layers of a model, with weights as inputs,
# does so at every step, and for one row reads sixteen times as much as it would without quantising.
#
# Prints both times; fails where constants are not at least ten times as fast.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

COLUMNS, ROWS, BLOCK = 2560, 10240, 32
packed = np.random.default_rng(1).integers(0, 255, (ROWS, COLUMNS // BLOCK, BLOCK // 2), dtype=np.uint8)
scales = np.full((ROWS, COLUMNS // BLOCK), 0.01, np.float32)


def milliseconds(constant: bool) -> float:
    node = helper.make_node("MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=COLUMNS, N=ROWS, bits=4, block_size=BLOCK)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, COLUMNS])]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, ROWS])
    given = {"x": np.ones((1, COLUMNS), np.float32)}
    constants = [numpy_helper.from_array(packed, "b"), numpy_helper.from_array(scales, "s")]
    if not constant:
        constants = []
        inputs.append(helper.make_tensor_value_info("b", TensorProto.UINT8, packed.shape))
        inputs.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, scales.shape))
        given |= {"b": packed, "s": scales}
    graph = helper.make_graph([node], "g", inputs, [output], constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(6):
        began = time.perf_counter()
        session.run(None, given)
        times.append(1000 * (time.perf_counter() - began))
    return sorted(times[1:])[2]


fast, slow = milliseconds(True), milliseconds(False)
print(f"onnxruntime {onnxruntime.__version__}: constants {fast:.1f} ms, inputs {slow:.1f} ms")
raise SystemExit(slow < 10 * fast)
PY

python3 -m venv venv
venv/bin/pip install --quiet onnxruntime==1.30.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python look.py
echo "as described"
