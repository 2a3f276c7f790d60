"""Page-locks the weights that accelerate's hooks copy to a card."""

import mmap

import torch


def page_lock(model):
    """Locks the pages of what stays on the CPU, which copies to a GPU then leave at the link's speed."""
    hooks = [hook for module in model.modules() if (hook := getattr(module, "_hf_hook", None)) is not None]
    kept = {}
    for hook in [part for hook in hooks for part in getattr(hook, "hooks", [hook])]:
        weights = getattr(hook, "weights_map", None)
        while hasattr(weights, "dataset"):
            weights = weights.dataset
        kept[id(weights)] = getattr(weights, "state_dict", weights) or {}
    spans = []
    for start, end in sorted((each.data_ptr(), each.data_ptr() + each.nbytes) for weights in kept.values() for each in weights.values() if each.device.type == "cpu"):
        start, end = start // mmap.PAGESIZE * mmap.PAGESIZE, -(-end // mmap.PAGESIZE) * mmap.PAGESIZE
        if spans and start <= spans[-1][1]:
            spans[-1][1] = max(end, spans[-1][1])
        else:
            spans.append([start, end])
    for start, end in spans:
        torch.cuda.check_error(int(torch.cuda.cudart().cudaHostRegister(start, end - start, 1)))
    return spans


def unlock(spans):
    for start, _ in spans:
        torch.cuda.check_error(int(torch.cuda.cudart().cudaHostUnregister(start)))
