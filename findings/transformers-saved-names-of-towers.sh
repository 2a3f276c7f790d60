#!/usr/bin/env bash
# transformers 5.24.0 and 4.57.6: what 5.24.0 writes of a LLaVA depends on where the model came from. Made from a configuration, its vision tower is saved
# without the `vision_model` that every published LLaVA has in its names; read from such a file and saved again, with it (the reader's renaming is undone).
# 4.57.6 reads the second file whole, and of the first gives the vision tower random values and a warning. PaliGemma, Gemma 3 and others have
# the same tower. Device maps with several places do not cross: 5.24.0 refuses those with 4.57.6's names ("does not give any device"; one that
# has all on the CPU it loads), and 4.57.6 those with 5.24.0's: with a part on disk by a KeyError (`param_device_map[name]`), else with "doesn't have any device set".
# Seen on Linux x64 with Python 3.11, accelerate 1.15.0 and torch 2.15.0.
#
# Saves a tiny LLaVA three times, compares what both versions read, and loads a map of each; fails where the names, what is read or who refuses changes.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >llava.py <<'PY'
import json
import sys

import torch
import transformers
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

transformers.logging.set_verbosity_error()
action, source, target = sys.argv[1:]


def tower(model):
    return sum(float(value.double().sum()) for name, value in model.state_dict().items() if "vision_tower" in name)


if action == "make":
    torch.manual_seed(0)
    small = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**small, image_size=28, patch_size=14, projection_dim=32),
            text_config=LlamaConfig(**small, num_key_value_heads=2, vocab_size=64, pad_token_id=0),
        )
    )
elif action == "load":
    model, report = LlavaForConditionalGeneration.from_pretrained(source, output_loading_info=True)
    print(json.dumps({"tower": tower(model), "missing": len(report["missing_keys"])}))
else:
    model = LlavaForConditionalGeneration.from_pretrained(source, device_map=json.loads(target), offload_folder="offloaded")
    print(json.dumps({"loaded": True}))
if action == "make":
    print(json.dumps({"tower": tower(model)}))
if action in ("make", "load") and target != "-":
    model.save_pretrained(target)
PY

cat >compare.py <<'PY'
import json
import os
import subprocess

from safetensors import safe_open

OLD, NEW = {"PYTHONPATH": "old"}, {}
REASONS = UNCOVERED, KEY, UNSET = "does not give any device", "param_device_map[name]", "doesn't have any device set"


def ask(version, *arguments):
    done = subprocess.run(["new/bin/python", "llava.py", *arguments], env={**os.environ, **version}, capture_output=True, text=True)
    if done.returncode != 0:
        return {"fails": next((words for words in REASONS if words in done.stderr), done.stderr[-500:])}
    return json.loads(done.stdout.strip().split("\n")[-1])


def is_nested(folder):
    with safe_open(f"{folder}/model.safetensors", "pt") as file:
        return any("vision_tower.vision_model." in name for name in file.keys())


ask(OLD, "make", "-", "published")
made = ask(NEW, "make", "-", "fresh")
read = ask(NEW, "load", "published", "again")
nested = {folder: is_nested(folder) for folder in ("published", "again", "fresh")}
print(f"vision_tower.vision_model in the file: {nested}")
again, fresh = ask(OLD, "load", "again", "-"), ask(OLD, "load", "fresh", "-")
print(f"4.57.6 of the file that was read and saved: {again['missing']} missing, {'the same' if again['tower'] == read['tower'] else 'another'} tower")
print(f"4.57.6 of the file that was made:           {fresh['missing']} missing, {'the same' if fresh['tower'] == made['tower'] else 'another'} tower")

rest = {"model.multi_modal_projector": "cpu", "model.language_model": "cpu", "lm_head": "cpu"}
parts = ("embeddings", "encoder", "pre_layrnorm", "post_layernorm")
answers = {}
for name, inner in (("nested", "vision_model."), ("flat", "")):
    for place in ("disk", "cpu"):
        device_map = json.dumps({**{f"model.vision_tower.{inner}{part}": place if part == "encoder" else "cpu" for part in parts}, **rest})
        answers[name, place] = [ask(version, "map", "published", device_map) for version in (OLD, NEW)]
        print(f"a map with {name} names and {place}: 4.57.6 {answers[name, place][0]}, 5.24.0 {answers[name, place][1]}")
assert nested == {"published": True, "again": True, "fresh": False}
assert again["missing"] == 0 and again["tower"] == read["tower"]
assert fresh["missing"] > 0 and fresh["tower"] != made["tower"]
loads = {"loaded": True}
assert answers == {
    ("nested", "disk"): [loads, {"fails": UNCOVERED}],
    ("nested", "cpu"): [loads, loads],
    ("flat", "disk"): [{"fails": KEY}, loads],
    ("flat", "cpu"): [{"fails": UNSET}, loads],
}, answers
PY

python3 -m venv new
new/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0 requests==2.34.2
# The other version, and what it needs in versions of its own, before these in the search for modules.
new/bin/pip install --quiet --no-deps --target old transformers==4.57.6 huggingface_hub==0.36.2 tokenizers==0.22.2
new/bin/python compare.py
echo "as described"
