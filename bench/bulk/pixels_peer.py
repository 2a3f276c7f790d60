"""Files to pixel values by Pillow and NumPy, step by step as transformers' BlipImageProcessorPil takes them, one at a time.

    taskset -c 1 python bench/bulk/pixels_peer.py FOLDER [ROUNDS]

The hash is of all pixel values: that of pixels.mjs has to be equal.
"""

import hashlib
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features

SIDE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)

folder, rounds = Path(sys.argv[1]), int((sys.argv[2:] or [3])[0])
files = sorted(folder.glob("*.jpg"))


def decoded(path):
    return Image.open(path).convert("RGB")


def resized(picture):
    return picture.resize((SIDE, SIDE), Image.BICUBIC)


def values(picture):
    scaled = (np.asarray(picture).astype(np.float64) * (1 / 255)).astype(np.float32)
    return np.ascontiguousarray(((scaled - MEAN) / STD).transpose(2, 0, 1))


print(f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}, NumPy {np.__version__}")
for _ in range(rounds):
    digest = hashlib.sha256()
    cpu = 0
    times = {"decode": [], "resize": [], "normalise": [], "all": []}
    for path in files:
        cpu -= time.process_time()
        began = time.perf_counter()
        picture = decoded(path)
        at_decoded = time.perf_counter()
        small = resized(picture)
        at_resized = time.perf_counter()
        pixels = values(small)
        ended = time.perf_counter()
        cpu += time.process_time()
        times["decode"].append(at_decoded - began)
        times["resize"].append(at_resized - at_decoded)
        times["normalise"].append(ended - at_resized)
        times["all"].append(ended - began)
        digest.update(pixels.tobytes())
    medians = ", ".join(f"{name} {1000 * statistics.median(taken):.2f}" for name, taken in times.items())
    cpu_ms = 1000 * cpu / len(files)
    print(f"{len(files)} pictures, ms a picture: {medians}; CPU {cpu_ms:.2f}; pixel values {digest.hexdigest()[:16]}")
