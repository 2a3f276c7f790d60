"""What the Python of a plan made with --page-lock does once the model is loaded: a test holds it to that text. Returns the bytes it locked."""

import mmap
import weakref

import torch


def page_lock(model):
    """Moves what hooks copy to GPUs for each call into page-locked memory, from where they copy it several times faster."""
    host_register, host_unregister = torch.cuda.cudart().cudaHostRegister, torch.cuda.cudart().cudaHostUnregister
    hooks, maps, moved = [getattr(module, "_hf_hook", None) for module in model.modules()], {}, {}
    for hook in hooks:
        # Those of a SequentialHook take their turn behind the others.
        hooks.extend(getattr(hook, "hooks", ()))
        weights = getattr(hook, "weights_map", None)
        while hasattr(weights, "dataset"):
            weights = weights.dataset
        # What has a file only, for "disk", stays there.
        weights = getattr(weights, "state_dict", weights) or {}
        maps[id(weights)] = weights, getattr(hook, "tied_params_map", None) or {}
    locked_bytes, page = 0, mmap.PAGESIZE
    for weights, ties in maps.values():
        for name, old in weights.items():
            key = old.data_ptr(), old.dtype, old.shape, old.stride()
            if key not in moved and old.device.type == "cpu" and old.nbytes > 0:
                # Whole pages of its own: a copy that begins in a locked page and ends beyond fails, whosever it is.
                size = -(-old.nbytes // page) * page
                room = torch.empty(size + page, dtype=torch.uint8)
                room = room[-room.data_ptr() % page :][:size]
                error = int(host_register(room.data_ptr(), size, 1))
                if error != 0:
                    raise RuntimeError(f"CUDA page-locked {locked_bytes} bytes and no more (error {error}): plan without --page-lock")
                new = room[: old.nbytes].view(old.dtype).view(old.shape).copy_(old)
                weakref.finalize(new, host_unregister, room.data_ptr())
                locked_bytes += size
                moved[key] = new
                if old.data_ptr() in ties:
                    ties[new.data_ptr()] = ties.pop(old.data_ptr())
            weights[name] = moved.get(key, old)
    return locked_bytes
