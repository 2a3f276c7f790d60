#!/usr/bin/env bash
# transformers 5.24.0 shortens the keys and values of layers with a sliding window by taking a view of their last tokens: the tensors
# show a window, and their memory is that of the whole prompt until the layer has seen the next token. A call with a prompt of several
# windows so ends with as much cache as one without windows, which is when memory is at its height. The same of DeepSeek V4's
# buffers of tokens that wait to be compressed. A copy of the view would keep the window only.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0, on a CPU.
#
# Prints what the cache of a tiny Gemma 3 shows and holds after a prompt of 64 windows and after one token more; fails where that
# is otherwise.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from transformers import AutoModelForCausalLM, Gemma3TextConfig

transformers.logging.set_verbosity_error()
WINDOW, PROMPT = 16, 1024
config = Gemma3TextConfig(
    hidden_size=64, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=2, head_dim=32, vocab_size=256,
    sliding_window=WINDOW, layer_types=["sliding_attention"] * 4,
)
model = AutoModelForCausalLM.from_config(config).eval()


def shown_and_held(cache):
    tensors = [each for layer in cache.layers for each in (layer.keys, layer.values)]
    return sum(each.numel() * each.element_size() for each in tensors), sum(each.untyped_storage().nbytes() for each in tensors)


ids = torch.arange(PROMPT)[None] % 250
with torch.no_grad():
    cache = model(input_ids=ids, use_cache=True).past_key_values
    prompt = shown_and_held(cache)
    model(input_ids=ids[:, :1], past_key_values=cache)
    after = shown_and_held(cache)
for when, (shown, held) in {"a prompt of 1024 tokens": prompt, "one token more": after}.items():
    print(f"after {when}: tensors of {shown} bytes hold {held}")
raise SystemExit(not (prompt[1] > 60 * prompt[0] and after[1] < 2 * after[0]))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
