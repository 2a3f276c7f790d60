#!/usr/bin/env bash
# transformers 5.24.0: Blip2VisionEmbeddings.forward (InstructBLIP's alike) cuts its table of positions to as many as there are patches. Without
# interpolate_pos_encoding a picture that is smaller than the configuration's, as a processor with another `size` makes it, is taken without a
# word: its second row of patches gets positions of the first row of a whole picture. A larger one is an error; CLIP's embeddings refuse both.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0, on a CPU.
#
# Gives position n the value n; fails where a picture of 3 x 3 patches on a model of 6 x 6 is refused, or has other positions than 1 to 9.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
from transformers import Blip2VisionConfig, Blip2VisionModel, CLIPVisionConfig, CLIPVisionModel

sizes = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=96, patch_size=16)
blip2 = Blip2VisionModel(Blip2VisionConfig(**sizes)).embeddings
clip = CLIPVisionModel(CLIPVisionConfig(**sizes))


def said(model, side, **options):
    with torch.no_grad():
        try:
            return model(torch.zeros(1, 3, side, side), **options)
        except (RuntimeError, ValueError) as error:
            return str(error)


with torch.no_grad():
    blip2.position_embedding.copy_(torch.arange(37.0)[None, :, None].expand(1, 37, 32))
positions = [
    (said(blip2, 48, **options) - blip2.patch_embedding.bias)[0, 1:, 0].round(decimals=3).tolist()
    for options in ({}, {"interpolate_pos_encoding": True})
]
larger, refused = said(blip2, 112), said(clip, 48)
print(f"BLIP-2, 48 x 48: {positions[0]}; interpolated {positions[1]}")
print(f"BLIP-2, 112 x 112: {larger}")
print(f"CLIP, 48 x 48: {refused}")
is_cut = positions[0] == [float(place) for place in range(1, 10)] and positions[1] != positions[0]
raise SystemExit(not (is_cut and isinstance(larger, str) and isinstance(refused, str)))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
