#!/usr/bin/env bash
# transformers 5.24.0: a file may hold a tied parameter under the name that follows rather than under the one that is followed, such as BERT's
# `cls.predictions.decoder.bias` without `cls.predictions.bias`; both get its values. With a device map that gives the head to the disk, loading works
# and the first call raises KeyError for the name that no file holds: the index of what is on the disk gives a tied name the place of the one that it
# follows, and not the other way round (`accelerate_disk_offload`). `device_map="auto"` makes such maps. The same where config.json says that nothing
# is tied and the file lacks the second name. With the head beside a GPU in host memory it works.
# Seen on Linux x64 with Python 3.11, torch 2.15.0 and accelerate 1.15.0, on a CPU.
#
# Executes a tiny BERT from a file with one of the names, in memory and with its head on the disk; fails where the second no longer raises.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(0)
config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=64, max_position_embeddings=32)
state = {name: tensor.clone() for name, tensor in BertForMaskedLM(config).state_dict().items()}
state.pop("cls.predictions.decoder.weight")
bias = torch.randn(64)
ids = torch.arange(5, 14)[None]
follows, followed = "cls.predictions.decoder.bias", "cls.predictions.bias"


def logits(stored, homes):
    others = {name: tensor for name, tensor in state.items() if name not in (follows, followed)}
    save_file({**others, stored: bias}, "tiny/model.safetensors", metadata={"format": "pt"})
    model = BertForMaskedLM.from_pretrained("tiny", device_map=homes, offload_folder="offload").eval()
    with torch.no_grad():
        return model(input_ids=ids).logits


config.save_pretrained("tiny")
tied = {"bert": "disk", "cls": "disk"}
right = logits(followed, {"": "cpu"})
print("in memory, either name:", torch.equal(right, logits(follows, {"": "cpu"})))
print(f"on the disk, {followed}:", torch.equal(right, logits(followed, tied)))
try:
    logits(follows, tied)
    raised = None
except KeyError as error:
    raised = error.args[0]
print(f"on the disk, {follows}: KeyError {raised}")
raise SystemExit(raised != followed)
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
