#!/usr/bin/env bash
# transformers 5.24.0: of model.safetensors.index.json from_pretrained takes which files there are, and not which tensor is in which of them. A tensor that the index leaves out
# is loaded all the same, and so is one that it says to be in another shard. Where two shards have a tensor, the one whose file's name comes last
# counts, whatever the index says: loaders that go by weight_map load other weights from the
# same folder. Nothing is said in any of these, and output_loading_info is empty.
# Seen on Linux x64 with Python 3.11, torch 2.15.0 and safetensors 0.8.0.
#
# Saves a small model in five shards and changes its index, then a shard; fails where from_pretrained goes by the index.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import json

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__)
NAME = "transformer.h.1.mlp.c_fc.weight"
INDEX = "saved/model.safetensors.index.json"
torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=1000))
saved = model.state_dict()[NAME]
model.save_pretrained("saved", max_shard_size="200KB")
with open(INDEX) as file:
    index = json.load(file)
shards = sorted(set(index["weight_map"].values()))
home = index["weight_map"][NAME]
first, last = shards[0], shards[-1]
assert first < home < last, (first, home, last)


def loaded(weight_map):
    """What becomes of the tensor, and what loading says."""
    with open(INDEX, "w") as file:
        json.dump({**index, "weight_map": weight_map}, file)
    model, said = GPT2LMHeadModel.from_pretrained("saved", output_loading_info=True)
    found = model.state_dict()[NAME]
    return "as saved" if torch.equal(found, saved) else "zeros" if (found == 0).all() else "another", sorted(key for key in said if said[key])


def with_zeros(shard):
    """The index stays right; another shard has the tensor too."""
    before = load_file(f"saved/{shard}")
    save_file({**before, NAME: torch.zeros_like(saved)}, f"saved/{shard}", {"format": "pt"})
    answer = loaded(index["weight_map"])
    save_file(before, f"saved/{shard}", {"format": "pt"})
    return answer


seen = {
    "left out of the index": loaded({key: shard for key, shard in index["weight_map"].items() if key != NAME}),
    "said to be in the first": loaded({**index["weight_map"], NAME: first}),
    "in the first, too": with_zeros(first),
    "in the last, too": with_zeros(last),
}
for what, answer in seen.items():
    print(what, *answer)
assert seen == {
    "left out of the index": ("as saved", []),
    "said to be in the first": ("as saved", []),
    "in the first, too": ("as saved", []),
    "in the last, too": ("zeros", []),
}
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 safetensors==0.8.0 torch==2.15.0 numpy
venv/bin/python look.py 2>/dev/null
echo "as described"
