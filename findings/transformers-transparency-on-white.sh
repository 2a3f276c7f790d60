#!/usr/bin/env bash
# transformers 5.24.0 lays what is transparent in a picture on white before it is preprocessed; Pillow 13.0.0's own
# `convert("RGB")`, which scripts call on a picture they open, drops transparency and keeps the colour below it. So the same PNG,
# GIF or WebP file gives a model different pixels by who converts it, the processor or the script. transformers 5.17.0 converted
# as Pillow does. Seen on Linux x64 with Python 3.11.
#
# Prints the two pixels of a half transparent and of a wholly transparent red, and of a GIF whose transparent colour is blue, and
# fails where any of them is another.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import io
import sys

import transformers
from PIL import Image
from transformers.image_transforms import convert_to_rgb


def reopened(image, **how):
    file = io.BytesIO()
    image.save(file, **how)
    return Image.open(io.BytesIO(file.getvalue()))


gif = Image.new("P", (1, 1), 1)
gif.putpalette([0, 0, 0, 0, 0, 255])
pictures = {
    "png, red of alpha 128": reopened(Image.new("RGBA", (1, 1), (255, 0, 0, 128)), format="PNG"),
    "png, red of alpha 0": reopened(Image.new("RGBA", (1, 1), (255, 0, 0, 0)), format="PNG"),
    "gif, transparent blue": reopened(gif, format="GIF", transparency=1),
}
seen = []
for name, picture in pictures.items():
    pillow = picture.convert("RGB").getpixel((0, 0))
    by_transformers = convert_to_rgb(picture.copy()).getpixel((0, 0))
    seen.append((pillow, by_transformers))
    print(f"transformers {transformers.__version__}, {name}: Pillow {pillow}, transformers {by_transformers}")
red, blue, white = (255, 0, 0), (0, 0, 255), (255, 255, 255)
expected = {
    "5.17.0": [(red, red), (red, red), (blue, blue)],
    "5.24.0": [(red, (255, 127, 127)), (red, white), (blue, white)],
}
sys.exit(seen != expected[transformers.__version__])
PY

for version in 5.17.0 5.24.0; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet "transformers==$version" pillow==13.0.0 numpy==2.4.6
  TRANSFORMERS_VERBOSITY=error "$version/bin/python" look.py
done
echo "as described"
