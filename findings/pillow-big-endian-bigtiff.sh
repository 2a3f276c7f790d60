#!/usr/bin/env bash
# Pillow 13.0.0 cannot open every TIFF that it saves: a picture of mode "I;16B" saved with big_tiff=True is "cannot identify image
# file". Its levels make the file big-endian, and whether a file is a BigTIFF Pillow sees by the third byte, which is 43 in
# little-endian ones; here the fourth is, so that offsets of 8 bytes are read as if they had 4. Big-endian BigTIFF of other writers is
# refused alike, though its four first bytes are among those that the plugin accepts.
# Seen with Python 3.11.7 on Linux x64, tifffile 2026.3.3, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6

cat >look.py <<'PY'
import io

import numpy
import tifffile
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

levels = numpy.arange(6, dtype="u2").reshape(2, 3)
outcomes = {}
for mode in ("I;16", "I;16B"):
    for big in (False, True):
        file = io.BytesIO()
        order = ">" if mode.endswith("B") else "<"
        Image.frombytes(mode, (3, 2), levels.astype(order + "u2").tobytes()).save(file, "TIFF", big_tiff=big)
        data = file.getvalue()
        assert data[:4] in TiffImagePlugin.PREFIXES
        assert numpy.array_equal(tifffile.imread(io.BytesIO(data)), levels)
        try:
            outcomes[mode, big] = Image.open(io.BytesIO(data)).size
        except UnidentifiedImageError as error:
            outcomes[mode, big] = type(error).__name__
        print(f"{mode}, big_tiff={big}, begins {data[:4]!r}: {outcomes[mode, big]}")
size = (3, 2)
expected = {("I;16", False): size, ("I;16", True): size, ("I;16B", False): size, ("I;16B", True): "UnidentifiedImageError"}
raise SystemExit(outcomes != expected)
PY
venv/bin/python look.py
echo "as described"
