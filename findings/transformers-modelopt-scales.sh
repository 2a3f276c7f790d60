#!/usr/bin/env bash
# transformers 5.24.0 does not know `quant_method: modelopt`, which published FP8 and NVFP4 checkpoints have. It says so in a log line and goes
# on: of an FP8 file the stored numbers become the weights, without their scales, so that the model answers nonsense
# and no error is raised. Seen on Linux x64 with Python 3.11 and torch 2.15.0, on a CPU.
#
# Prints the largest weight of a tiny Llama as it was and as it is loaded from FP8 with scales; fails where they agree.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import json

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(0)
config = LlamaConfig(hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, vocab_size=128)
model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
model.save_pretrained("stored")
stored = {}
for name, tensor in load_file("stored/model.safetensors").items():
    if not name.endswith("_proj.weight"):
        stored[name] = tensor
        continue
    scale = tensor.abs().max().float() / 448
    stored[name] = (tensor.float() / scale).to(torch.float8_e4m3fn)
    stored[name.replace(".weight", ".weight_scale")] = scale
    stored[name.replace(".weight", ".input_scale")] = torch.ones(())
save_file(stored, "stored/model.safetensors", metadata={"format": "pt"})
described = json.load(open("stored/config.json"))
described["quantization_config"] = {"quant_method": "modelopt", "quant_algo": "FP8"}
json.dump(described, open("stored/config.json", "w"))

largest = lambda model: float(model.model.layers[0].mlp.down_proj.weight.abs().max())
loaded = AutoModelForCausalLM.from_pretrained("stored")
print(f"largest weight: {largest(model):.3f}, loaded from FP8: {largest(loaded):.0f}")
raise SystemExit(largest(loaded) != 448)
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
