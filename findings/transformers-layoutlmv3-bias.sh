#!/usr/bin/env bash
# transformers 5.24.0: LayoutLMv3's encoder hands the module `rel_pos_bias` to `_relative_position_lookup`, which reads `bias.weight` and does not call
# it. With a device map that gives this module to the disk (or, beside a GPU, to "cpu"), accelerate's hook, which brings a module's weights when it
# is called, never runs: the biases are what is on the meta device, nothing fails, and the states are others. With `rel_pos_x_bias` there the call fails
# ("Cannot copy out of meta tensor"). `device_map="auto"` makes such maps. PP-DocLayoutV2's reading order has the same lookup.
# Seen on Linux x64 with Python 3.11, torch 2.15.0 and accelerate 1.15.0, on a CPU.
#
# Executes a tiny LayoutLMv3 in memory, with that module on the disk, and with the encoder's layers there; fails where the second is right or
# refused, or the third is wrong.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from transformers import LayoutLMv3Config, LayoutLMv3Model

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(0)
config = LayoutLMv3Config(
    vocab_size=128, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, coordinate_size=8, shape_size=16,
    input_size=32, max_position_embeddings=64, bos_token_id=0, eos_token_id=2, pad_token_id=1,
)
model = LayoutLMv3Model(config)
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, 0, 0.3)
torch.nn.init.normal_(model.encoder.rel_pos_bias.weight, 0, 20)
model.save_pretrained("tiny")
own = [name for name, _ in [*model.named_parameters(recurse=False), *model.named_buffers(recurse=False)]]
modules = [name for name, _ in model.named_children() if name != "encoder"]
everything = {name: "cpu" for name in [*own, *modules, *(f"encoder.{name}" for name, _ in model.encoder.named_children())]}


def states(**homes):
    given = {**everything, **{f"encoder.{name}": home for name, home in homes.items()}}
    loaded = LayoutLMv3Model.from_pretrained("tiny", device_map=given, offload_folder="offload").eval()
    with torch.no_grad():
        return loaded(input_ids=torch.arange(5, 14)[None], bbox=torch.arange(36).reshape(1, 9, 4)).last_hidden_state


right = states()
apart = [float((right - each).abs().nan_to_num(nan=torch.inf).max()) for each in (states(rel_pos_bias="disk"), states(layer="disk"))]
print(f"states up to {float(right.abs().max()):.2f}; the bias on the disk: {apart[0]:.2g} apart; the layers there: {apart[1]:.2g}")
raise SystemExit(not (apart[0] > 0.01 and apart[1] < 1e-4))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
