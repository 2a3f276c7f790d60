#!/usr/bin/env bash
# accelerate 1.15.0: which GPU runs what a device map leaves on "cpu" or "disk" changes from process to process where the map names GPUs by strings:
# dispatch_model takes the first of a Python set of the map's values, and Python gives strings another order in each process. With
# {"0": "cuda:0", "1": "cuda:1", "2": "cpu"} modules on "cpu" are copied to the first card in some processes and to the second in others, so that the
# same script runs out of memory now and then, or takes another time. Numbers (0, 1) have a settled order, and so has a
# `main_device` that is given; transformers' from_pretrained gives none.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0, on a CPU: nothing is dispatched, only what the hooks are told is read.
#
# Asks eight processes, each with a hash seed of its own; fails where all answer alike for strings, or not for numbers.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import sys

import torch
from accelerate import big_modeling, dispatch_model

named = {"0": "cuda:0", "1": "cuda:1", "2": "cpu"}
numbered = {"0": 0, "1": 1, "2": "cpu"}


def tell(model, execution_device=None, **others):
    print(execution_device["2"])
    raise SystemExit


big_modeling.attach_align_device_hook_on_blocks = tell
model = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(3)))
dispatch_model(model, named if sys.argv[1] == "named" else numbered)
PY

python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 torch==2.15.0 numpy
answers() { for seed in 1 2 3 4 5 6 7 8; do PYTHONHASHSEED=$seed venv/bin/python look.py "$1" 2>/dev/null; done | sort | uniq -c | tr -s ' \n' ' '; }
named=$(answers named)
numbered=$(answers numbered)
echo "processes and the card that runs what is on the CPU: strings$named, numbers$numbered"
[[ "$named" == *cuda:0*cuda:1* && "$numbered" == " 8 0 " ]]
echo "as described"
