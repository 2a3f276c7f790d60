#!/usr/bin/env bash
# transformers 5.24.0: the router of LongCat-Flash (LongcatFlashTopkRouter) multiplies by `self.classifier.weight` without calling its classifier.
# With a device map that gives a layer to the disk (or, beside a GPU, to "cpu"), accelerate's hook, which brings a module's weights when the module
# is called, never runs for it: the layer computes with what is on the meta device, nothing fails, and the logits are others, in each run others
# again, or NaN. `device_map="auto"` makes such maps. transformers has a decorator for such modules (`force_accelerate_hooks`); this one has none.
# Seen on Linux x64 with Python 3.11, torch 2.15.0 and accelerate 1.15.0, on a CPU.
#
# Executes a tiny LongCat-Flash in memory, with a layer on the disk, and with the classifier of that layer back in memory; fails where the second
# is right or refused, or the third is wrong.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from transformers import LongcatFlashConfig, LongcatFlashForCausalLM

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(0)
config = LongcatFlashConfig(
    hidden_size=64, ffn_hidden_size=64, expert_ffn_hidden_size=32, num_layers=2, num_attention_heads=4, vocab_size=512, n_routed_experts=4,
    zero_expert_num=2, moe_topk=2, kv_lora_rank=16, q_lora_rank=24, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16, head_dim=8,
)
LongcatFlashForCausalLM(config).save_pretrained("tiny")
parts = [name for name, _ in LongcatFlashForCausalLM(config).model.layers[0].named_children()]
layer = {f"model.layers.0.{part}": "disk" for part in parts if part != "mlp"}
layer |= {"model.layers.0.mlp.experts": "disk"}
rest = {"model.embed_tokens": "cpu", "model.layers.1": "cpu", "model.norm": "cpu", "lm_head": "cpu"}


def logits(homes):
    model = LongcatFlashForCausalLM.from_pretrained("tiny", device_map=homes, offload_folder="offload").eval()
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 14)[None]).logits


right = logits({"": "cpu"})
whole = logits({"model.layers.0": "disk", **rest})
spared = logits({**layer, "model.layers.0.mlp.router": "cpu", **rest})
apart = [float((right - each).abs().nan_to_num(nan=torch.inf).max()) for each in (whole, spared)]
print(f"logits up to {float(right.abs().max()):.2f}; a layer on the disk: {apart[0]:.2g} apart; all of it but its router: {apart[1]:.2g}")
raise SystemExit(not (apart[0] > 0.01 and apart[1] < 1e-4))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
