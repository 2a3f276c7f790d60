#!/usr/bin/env bash
# transformers 5.24.0 with PEFT: of a folder with a model's weights and an adapter from_pretrained loads both. Where the device map has a layer on the
# disk, what the adapter adds to it is lost: the hooks were attached before its modules came, their weights are never read, and nothing fails.
# Seen on Linux x64 with Python 3.11, torch 2.15.0, accelerate 1.15.0 and PEFT 0.21.2, on a CPU.
#
# Executes a tiny LLaMA with an adapter in memory, and with its first layer on the disk; fails where both answer alike or the second is refused.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import os
import shutil

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(0)
LlamaForCausalLM(
    LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=128)
).save_pretrained("tiny")
plain = LlamaForCausalLM.from_pretrained("tiny")
adapted = get_peft_model(LlamaForCausalLM.from_pretrained("tiny"), LoraConfig(r=8, target_modules=["q_proj", "v_proj"]))
for name, parameter in adapted.named_parameters():
    if "lora" in name:
        torch.nn.init.normal_(parameter)
adapted.save_pretrained("adapter")
for name in os.listdir("adapter"):
    shutil.copy(f"adapter/{name}", "tiny")
tokens = torch.arange(7)[None]


def logits(first):
    homes = {"model.embed_tokens": "cpu", "model.norm": "cpu", "lm_head": "cpu", "model.rotary_emb": "cpu", "model.layers.0": first, "model.layers.1": "cpu"}
    model = LlamaForCausalLM.from_pretrained("tiny", device_map=homes, offload_folder="offload")
    with torch.no_grad():
        return model(tokens).logits


right = logits("cpu")
with torch.no_grad():
    added = float((right - plain(tokens).logits).abs().max())
apart = float((right - logits("disk")).abs().max())
print(f"the adapter changes logits by up to {added:.2g}; with a layer on the disk they are {apart:.2g} off")
raise SystemExit(not (added > 0.01 and apart > 0.01))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0 peft==0.21.2
venv/bin/python look.py 2>/dev/null
echo "as described"
