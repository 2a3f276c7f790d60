#!/usr/bin/env bash
# transformers 5.24.0: a T5 whose decoder has more layers than its encoder (`num_decoder_layers` above `num_layers`) loads and answers in
# forward, but `generate` ends with "IndexError: list index out of range". It makes a cache with a layer for each of
# `num_layers`, which are the encoder's. The other way round (an encoder that is deeper, as ByT5's) works.
# Seen with torch 2.15.0 and Python 3.11 on Linux x64, 2026-11-29. Exits 1 if this is no longer so.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
from transformers import T5Config, T5ForConditionalGeneration

ids = torch.tensor([[5, 6, 1]])
seen = []
for encoder, decoder in ((3, 2), (2, 3)):
    sizes = dict(d_model=16, d_kv=4, d_ff=16, num_heads=2, num_layers=encoder, num_decoder_layers=decoder)
    model = T5ForConditionalGeneration(T5Config(vocab_size=64, decoder_start_token_id=0, **sizes)).eval()
    logits = model(input_ids=ids, decoder_input_ids=ids).logits.shape
    try:
        answer = f"{model.generate(ids, max_new_tokens=3, min_new_tokens=3).shape[1]} ids"
    except IndexError as error:
        answer = f"IndexError: {error}"
    print(f"encoder {encoder}, decoder {decoder}: forward {tuple(logits)}, generate {answer}")
    seen.append(answer)
raise SystemExit(seen != ["4 ids", "IndexError: list index out of range"])
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
