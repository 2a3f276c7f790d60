#!/usr/bin/env bash
# accelerate 1.15.0: infer_auto_device_map replaces a module that it splits by its parameters and children, and forgets its saved buffers. The
# map then gives them no device, and check_device_map, which dispatch_model calls, refuses the map that accelerate made itself. The copy of
# the function in transformers 5.24.0 (device_map="auto") does the same. It happens to Bark at 25 % of its bytes
# (the causal mask of an attention) and to Nemotron-H Omni at 75 % (a list of summary tokens).
# Seen on Linux x64 with Python 3.11 and torch 2.15.0, on a CPU.
#
# Splits a module of three layers and a buffer; fails where the map is accepted.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
from accelerate import infer_auto_device_map
from accelerate.utils import check_device_map


class Part(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(64, 64, bias=False)
        self.second = torch.nn.Linear(64, 64, bias=False)
        self.third = torch.nn.Linear(64, 64, bias=False)
        self.register_buffer("scale", torch.ones(64))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()


model = Model()
one = 4 * 64 * 64
homes = infer_auto_device_map(model, max_memory={0: 2 * one + 64, "cpu": 10**9})
print(dict(homes))
try:
    check_device_map(model, dict(homes))
except ValueError as error:
    print(error)
else:
    raise SystemExit("the map is accepted")
PY

python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 torch==2.15.0 numpy
venv/bin/python look.py 2>/dev/null
echo "as described"
