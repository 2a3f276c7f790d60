#!/usr/bin/env bash
# transformers 5.24.0 loads a model in the dtype of one tensor where config.json names none at its top: the first float by name in the
# first file. A head that somebody saved in float32 (`lm_head.weight` is first by name in most files) makes all of a bfloat16
# model float32, at twice the memory. A dtype in `text_config` is not looked at.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0.
#
# Prints the dtype and bytes of a tiny Qwen 3 in bfloat16, with a norm and with the head in float32; fails where they are others.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import json

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, Qwen3Config

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
sizes = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16)
config = Qwen3Config(vocab_size=512, tie_word_embeddings=False, **sizes)
model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
model.save_pretrained("stored")
described = json.load(open("stored/config.json"))
del described["dtype"]
json.dump(described, open("stored/config.json", "w"))
seen = []
for wide in ("model.norm.weight", "lm_head.weight"):
    state = {name: tensor.float() if name == wide else tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(state, "stored/model.safetensors", metadata={"format": "pt"})
    loaded = AutoModelForCausalLM.from_pretrained("stored")
    seen.append(loaded.dtype)
    total = sum(each.numel() * each.element_size() for each in loaded.parameters())
    print(f"{wide} in float32, all else in bfloat16: loaded in {loaded.dtype}, {total} bytes")
raise SystemExit(seen != [torch.bfloat16, torch.float32])
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
