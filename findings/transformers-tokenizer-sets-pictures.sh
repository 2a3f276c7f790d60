#!/usr/bin/env bash
# transformers 5.24.0: a processor gives every setting that its tokenizer was made with to whatever part knows a setting of that name, pictures included. So `"size"` or
# `"do_normalize": false` in tokenizer_config.json, where no tokenizer reads it, wins over preprocessor_config.json: BLIP-2's processor makes pixels of another size, or does
# not normalise them, without a word. The image processor alone (`AutoImageProcessor`), of the same folder, does not.
# Seen with Python 3.11, pillow 13.0.0, on Linux x64, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 tokenizers==0.23.3 pillow==13.0.0 numpy==2.4.6

cat >pixels.py <<'PY'
import json
from pathlib import Path

import numpy as np
from PIL import Image
from tokenizers import Tokenizer, models
from transformers import AutoImageProcessor, Blip2Processor, BlipImageProcessorPil, PreTrainedTokenizerFast

raw = Tokenizer(models.WordLevel({"<pad>": 0, "a": 1}, unk_token="<pad>"))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>")
Blip2Processor(BlipImageProcessorPil(size={"height": 4, "width": 4}), tokenizer, num_query_tokens=2).save_pretrained("saved")
Path("saved/config.json").write_text('{"model_type": "blip-2"}')
file = Path("saved/tokenizer_config.json")
own = json.loads(file.read_text())
picture = Image.new("RGB", (8, 8), "white")
for more in ({}, {"do_normalize": False}, {"size": {"height": 2, "width": 3}}):
    file.write_text(json.dumps({**own, **more}))
    for kind in (Blip2Processor, AutoImageProcessor):
        pixels = np.asarray(kind.from_pretrained("saved")(images=picture, return_tensors="np")["pixel_values"])
        print(json.dumps(more), kind.__name__, pixels.shape, round(float(pixels[0, 0, 0, 0]), 2))
PY
TRANSFORMERS_VERBOSITY=error venv/bin/python pixels.py | tee seen.txt
diff - seen.txt <<'TXT'
{} Blip2Processor (1, 3, 4, 4) 1.93
{} AutoImageProcessor (1, 3, 4, 4) 1.93
{"do_normalize": false} Blip2Processor (1, 3, 4, 4) 1.0
{"do_normalize": false} AutoImageProcessor (1, 3, 4, 4) 1.93
{"size": {"height": 2, "width": 3}} Blip2Processor (1, 3, 2, 3) 1.93
{"size": {"height": 2, "width": 3}} AutoImageProcessor (1, 3, 4, 4) 1.93
TXT
echo "as described"
