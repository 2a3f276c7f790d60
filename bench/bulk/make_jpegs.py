"""JPEG files of 640 x 480, smooth colours under noise, the same in every call: python make_jpegs.py FOLDER COUNT [WIDTH HEIGHT]."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

folder, count = Path(sys.argv[1]), int(sys.argv[2])
width, height = (int(side) for side in sys.argv[3:5] or (640, 480))


def make(number):
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.BICUBIC)).astype(int)
    noisy = np.clip(smooth + rng.integers(-12, 12, smooth.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / f"p{number:05d}.jpg", quality=88)


if __name__ == "__main__":
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(make, range(count), chunksize=16))
