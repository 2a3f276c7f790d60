#!/usr/bin/env bash
# Pillow 13.0.0 scrambles an uncompressed TIFF of greys, a palette, RGBA, CMYK or 16 bits whose orientation is 5 to 8 (turned by a quarter)
# where it is opened by its name. Such a file is mapped into memory rather than read, and the rows of the mapping get the size that
# the picture has after it is turned; then it is turned. From the same bytes in memory the picture is right, as it is of RGB
# and of compressed files, which are not mapped. No error, no warning.
# Seen with Python 3.11.7 on Linux x64, 2026-11-29. Exits 1 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Pillow==13.0.0

cat >look.py <<'PY'
import io
from PIL import Image

picture = Image.frombytes("RGB", (3, 2), bytes(range(0, 180, 10)))
scrambled = []
for mode in ("L", "RGB", "RGBA", "CMYK"):
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        picture.convert(mode).save("turned.tiff", exif=exif)
        named = Image.open("turned.tiff")
        named.load()
        with open("turned.tiff", "rb") as file:
            read = Image.open(io.BytesIO(file.read()))
            read.load()
        if (named.size, named.tobytes()) != (read.size, read.tobytes()):
            scrambled.append((mode, orientation))
        if (mode, orientation) == ("L", 6):
            for how, opened in (("by name", named), ("from bytes", read)):
                print(f"greys {list(picture.convert('L').tobytes())} of 3 x 2, orientation 6, {how}: {opened.size}, {list(opened.tobytes())}")
print("scrambled:", scrambled)
raise SystemExit(scrambled != [(mode, turned) for mode in ("L", "RGBA", "CMYK") for turned in (5, 6, 7, 8)])
PY
venv/bin/python look.py
echo "as described"
