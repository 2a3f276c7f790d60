#!/usr/bin/env bash
# Pillow 13.0.0 reads other levels than a big-endian TIFF holds where they are signed or floating-point and compressed, by whatever
# method: 1 becomes 256 (16 bits) or 16777216 (32 bits), and floats become nearly 0. libtiff hands out what it has unpacked in the
# machine's order, and Pillow turns the bytes about once more, which it spares unsigned levels alone. Uncompressed or little-endian
# files of the same levels are right. No error, no warning.
# Seen with Python 3.11.7 on Linux x64 (little-endian), tifffile 2026.3.3, 2026-11-30. Exits 1 if this is no longer so.
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
from PIL import Image

levels = numpy.array([[0, 1, 2, 3], [100, 255, 256, 300]])
wrong = set()
for order in "<>":
    for kind in ("u2", "i2", "i4", "f4"):
        for method in (None, "lzw", "deflate", "packbits"):
            stored = levels.astype(kind)
            file = io.BytesIO()
            tifffile.imwrite(file, stored, byteorder=order, compression=method, photometric="minisblack", metadata=None)
            assert numpy.array_equal(tifffile.imread(io.BytesIO(file.getvalue())), stored)
            read = numpy.asarray(Image.open(io.BytesIO(file.getvalue())))
            if not numpy.array_equal(read.astype("f8"), stored):
                wrong.add((order, kind, method))
                if method == "lzw":
                    print(f"{order}{kind} {method}: {stored.tolist()} read as {read.tolist()}")
print("wrong:", sorted(wrong))
raise SystemExit(wrong != {(">", kind, method) for kind in ("i2", "i4", "f4") for method in ("lzw", "deflate", "packbits")})
PY
venv/bin/python look.py
echo "as described"
