"""How far weights of normally distributed values are off once they are quantised and read back: WEIGHT_ERROR of the planner.

  python weight_error.py

int8 in blocks of 32, scale = largest magnitude / 127; int4 in blocks of 64, scale = value of largest magnitude / -8;
scales in float16, codes from the rounded scale. Root mean square of the error over that of the values.
"""
import numpy as np

values = np.random.default_rng(0).standard_normal((4096, 2560)).astype(np.float32)


def error(blocks, scales, low, high):
    scales = scales.astype(np.float16).astype(np.float32)
    codes = np.clip(np.round(blocks / scales), low, high)
    return np.sqrt(((codes * scales - blocks) ** 2).mean() / (blocks**2).mean())


eights = values.reshape(-1, 32)
print("int8", error(eights, np.abs(eights).max(1, keepdims=True) / 127, -128, 127))
fours = values.reshape(-1, 64)
largest = np.take_along_axis(fours, np.abs(fours).argmax(1)[:, None], 1)
print("int4", error(fours, largest / -8, -8, 7))
