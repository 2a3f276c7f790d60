#!/usr/bin/env bash
# transformers 5.24.0 with safetensors 0.8.0: weights on the CPU are a view of the shard, for as long as the model lives. With the dtype that the file has, which is the default,
# from_pretrained copies nothing: whoever writes other numbers of the same size into the file afterwards changes the model that is already loaded, and
# nothing says so. So a model that serves while its folder is synchronised in place answers with a mixture of two. Asked for another dtype, weights are copies and
# stay. A file that is renamed over the old one, as hubs' clients and save_pretrained's callers may do, changes nothing either.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0. What a device map puts on "cpu" is such a view, too.
#
# Writes zeros into the shard of a small model after it was loaded; fails where the weights that are views do not become zeros, or those that are copies do.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import os
import shutil

import safetensors
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__, "safetensors", safetensors.__version__)
config = GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=1000)
GPT2LMHeadModel(config).half().save_pretrained("saved")
shard = "saved/model.safetensors"
shutil.copy(shard, "before")


def zeros(path):
    """The same header over data of zeros."""
    with open("before", "rb") as file:
        header = file.read(8)
        header += file.read(int.from_bytes(header, "little"))
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        file.write(header + bytes(os.path.getsize("before") - len(header)))


def write():
    zeros(shard)


def rename():
    zeros("other")
    os.replace("other", shard)


seen = {}
for name, dtype, device_map, change in (
    ("default", "auto", None, write),
    ("device map", "auto", {"": "cpu"}, write),
    ("another dtype", torch.float32, None, write),
    ("renamed over", "auto", None, rename),
):
    shutil.copy("before", "fresh")
    os.replace("fresh", shard)
    model = GPT2LMHeadModel.from_pretrained("saved", dtype=dtype, device_map=device_map)
    weight = model.transformer.h[1].mlp.c_fc.weight
    assert weight.count_nonzero() > 0
    change()
    seen[name] = bool((weight == 0).all())
print("became zeros:", seen)
assert seen == {"default": True, "device map": True, "another dtype": False, "renamed over": False}
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 safetensors==0.8.0 torch==2.15.0 numpy
venv/bin/python look.py 2>/dev/null
echo "as described"
