"""What a module that accelerate copies to the card for its call costs, by its size: milliseconds a module and bytes a second apart.

  python bench/gpu/streamed_modules.py [--page-lock] > streamed-modules.json      # on a card, 15 s

Chains of linear modules in float16 without a bias, each with weights of its own in pageable host memory (2 GiB a chain at most, so that no
cache of the processor holds them), hooked as dispatch_model hooks them; the median of seven passes of a chain. A line through those of
4 MiB and more is what the price list assumes: bytes at a rate, and so much for each module. Norms (two tensors of 8 KiB) beside.
"""

import json
import statistics
import sys
import time

import accelerate
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from page_lock import page_lock

CARD = torch.device("cuda:0")


def hooked(module):
    weights = {name: tensor.detach() for name, tensor in module.state_dict().items()}
    add_hook_to_module(module, AlignDevicesHook(execution_device=CARD, offload=True, weights_map=weights, io_same_device=False))
    return module


def milliseconds(modules, inputs):
    if "--page-lock" in sys.argv:
        page_lock(torch.nn.ModuleList(modules))
    times = []
    with torch.no_grad():
        for number in range(8):
            torch.cuda.synchronize()
            began = time.perf_counter()
            for module in modules:
                module(inputs)
            torch.cuda.synchronize()
            if number > 0:
                times.append(1000 * (time.perf_counter() - began) / len(modules))
    return statistics.median(times)


rows = []
for side in (64, 256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288):
    size = 2 * side * side
    count = max(4, min(64, 2**31 // size))
    chain = [torch.nn.Linear(side, side, bias=False, device="meta").to_empty(device="cpu").half() for _ in range(count)]
    for module in chain:
        module.weight.data.fill_(0.01)
    resident = torch.nn.Linear(side, side, bias=False, device=CARD, dtype=torch.float16)
    inputs = torch.ones(1, side, dtype=torch.float16, device=CARD)
    bare = milliseconds([resident] * count, inputs)
    rows.append({"bytes": size, "modules": count, "ms": milliseconds([hooked(each) for each in chain], inputs), "residentMs": bare})
    print(json.dumps(rows[-1]), flush=True)
norms = [hooked(torch.nn.LayerNorm(4096).half()) for _ in range(64)]
norm = milliseconds(norms, torch.ones(1, 4096, dtype=torch.float16, device=CARD))

large = [row for row in rows if row["bytes"] >= 4 * 2**20]
xs, ys = [row["bytes"] for row in large], [row["ms"] - row["residentMs"] for row in large]
# Of relative errors, as all sizes count alike.
weights = [1 / y**2 for y in ys]
total, mean_x, mean_y = sum(weights), sum(w * x for w, x in zip(weights, xs)) / sum(weights), sum(w * y for w, y in zip(weights, ys)) / sum(weights)
slope = sum(w * (x - mean_x) * (y - mean_y) for w, x, y in zip(weights, xs, ys)) / sum(w * (x - mean_x) ** 2 for w, x in zip(weights, xs))
said = {"card": torch.cuda.get_device_name(0), "torch": torch.__version__, "accelerate": accelerate.__version__, "normMs": norm}
print(json.dumps({**said, "msPerModule": mean_y - slope * mean_x, "bytesPerSecond": 1000 / slope}))
