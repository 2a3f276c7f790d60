"""Models run on torch's fake tensors, in full size since nothing has values: inputs that are known how to make, and the bytes that are there at most."""

import inspect
import json
import os
import weakref

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PARTS = ("vision_config", "audio_config", "backbone_config", "text_config", "encoder", "decoder", "encoder_config")


def lookup(config, *fields):
    parts = [config, *(getattr(config, part, None) for part in PARTS)]
    for field in fields:
        for part in parts:
            value = getattr(part, field, None) if not isinstance(part, dict) else part.get(field)
            if isinstance(value, (int, list, tuple)) and not isinstance(value, bool):
                return value
    return None


def sides_of(config, otherwise=224):
    """Height and width of the pictures that a model is made for."""
    side = lookup(config, "image_size", "img_size") or otherwise
    return tuple(side) if isinstance(side, (list, tuple)) else (side, side)


def inputs(model, config, device, dtype, otherwise=224):
    """Whatever its forward asks for that is known how to make."""
    wanted = inspect.signature(model.forward).parameters
    channels = lookup(config, "num_channels", "in_channels", "in_chans") or 3
    bins = lookup(config, "num_mel_bins", "feature_size", "input_feat_per_channel", "n_mels") or 80
    frames = 2 * (lookup(config, "max_source_positions") or 500)
    ids = torch.ones(1, 16, dtype=torch.long, device=device)
    floats = lambda *shape: torch.rand(*shape, device=device, dtype=dtype)
    known = {
        "input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids[:, :4], "pixel_values": floats(1, channels, *sides_of(config, otherwise)),
        "input_values": floats(1, 16000), "input_features": floats(1, bins, frames), "bbox": torch.ones(1, 16, 4, dtype=torch.long, device=device),
    }
    required = {key for key, parameter in wanted.items() if parameter.default is inspect.Parameter.empty and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)}
    main = {*([model.main_input_name] if isinstance(model.main_input_name, str) else model.main_input_name), *required}
    if "input_ids" in wanted and "input_ids" in main:
        main.add("attention_mask")
    if getattr(config, "is_encoder_decoder", False):
        main.add("decoder_input_ids")
    if {"pixel_values", "input_ids"} <= set(wanted) and model.main_input_name == "input_ids" and model.__class__.__name__.endswith(("Model", "Retrieval", "Matching")):
        main.add("pixel_values")
    return {key: value for key, value in known.items() if key in main and key in wanted}


def on(device, tensor):
    """A fake one for one that has no values."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=device)


def tensors_in(held):
    return [each for each in tree_leaves(held) if isinstance(each, torch.Tensor)]


class Live(TorchDispatchMode):
    """Bytes of storages that operations made, now and at most, from then until nothing holds them; `told` of each operation's."""

    def __init__(self, given, told=lambda now: None):
        super().__init__()
        self.now, self.most, self.known, self.told = 0, 0, {}, told
        for tensor in given:
            storage = tensor.untyped_storage()
            self.known[id(storage)] = weakref.ref(storage)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for each in tensors_in(made):
            self.seen(each.untyped_storage())
        self.most = max(self.most, self.now)
        self.told(self.now)
        return made

    def seen(self, storage):
        key, size = id(storage), storage.nbytes()
        if key in self.known and self.known[key]() is storage:
            return

        def gone(_):
            self.now -= size
            self.known.pop(key, None)

        self.known[key] = weakref.ref(storage, gone)
        self.now += size


def run_live(model, make_inputs, told=lambda now: None):
    """Bytes at most of one pass, beside weights and inputs, and the inputs. `model` is on the meta device, and on the CPU afterwards."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in model.modules():
            for held, made in ((module._parameters, lambda each: torch.nn.Parameter(each, requires_grad=False)), (module._buffers, lambda each: each)):
                for name, tensor in held.items():
                    if tensor is not None:
                        held[name] = made(on("cpu", tensor))
        given = make_inputs()
        with torch.no_grad(), Live([*model.parameters(), *model.buffers(), *tensors_in(given)], told) as live:
            kept = model(**given)
        del kept
    return live.most, given


def apart(work):
    """Its answer from a process of its own, or null: some operators end the process on fake tensors."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None
