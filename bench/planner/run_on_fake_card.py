"""Do models run by our maps where a card is a device of its own? Default configurations on torch's fake tensors: devices and shapes, no values.

  python bench/planner/run_on_fake_card.py [CLASS ...] [--every N] [--fraction 0.5] > fake.jsonl

Without a card hooks are usually tried with "cpu" in its place, where a tensor that stays behind on the CPU is not noticed. Here weights lie
where transformers and accelerate put them for a map (what a key covers: on the card when it runs; buffers of no file that no key covers: on the CPU),
modules under a key have their inputs brought to the card, as hooks do, and an operation on two devices raises. A class whose forward does not
run on fake tensors with everything on the card says so and is not judged. Needs transformers, torch, accelerate; a build of this package.
"""

import importlib.util
import inspect
import json
import logging
import os
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("model_table", f"{here}/../../scripts/model-table.py")
table_of = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table_of)

import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map
from transformers.integrations.accelerate import expand_device_map
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from published import published

logging.disable(logging.CRITICAL)
NAMES = {torch.float16: "F16", torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.bool: "BOOL", torch.float64: "F64", torch.uint8: "U8", torch.int8: "I8", torch.complex64: "C64"}
CARD = torch.device("cuda:0")
DTYPE = torch.float16


def configured(name, model_type):
    cls = getattr(transformers, name)
    config = table_of.default_config(CONFIG_MAPPING[model_type], cls)
    config.architectures = [name]
    return cls, config


def lookup(config, *fields):
    parts = [config, *(getattr(config, part, None) for part in ("vision_config", "audio_config", "backbone_config", "text_config", "encoder", "decoder", "encoder_config"))]
    for field in fields:
        for part in parts:
            value = getattr(part, field, None) if not isinstance(part, dict) else part.get(field)
            if isinstance(value, (int, list, tuple)) and not isinstance(value, bool):
                return value
    return None


def inputs(model, config):
    """Whatever its forward asks for that is known how to make."""
    wanted = inspect.signature(model.forward).parameters
    side = lookup(config, "image_size", "img_size") or 224
    high, wide = side if isinstance(side, (list, tuple)) else (side, side)
    channels = lookup(config, "num_channels", "in_channels", "in_chans") or 3
    bins = lookup(config, "num_mel_bins", "feature_size", "input_feat_per_channel", "n_mels") or 80
    frames = 2 * (lookup(config, "max_source_positions") or 500)
    ids = torch.ones(1, 16, dtype=torch.long, device=CARD)
    known = {
        "input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids[:, :4], "pixel_values": torch.rand(1, channels, high, wide, device=CARD, dtype=DTYPE),
        "input_values": torch.rand(1, 16000, device=CARD, dtype=DTYPE), "input_features": torch.rand(1, bins, frames, device=CARD, dtype=DTYPE), "bbox": torch.ones(1, 16, 4, dtype=torch.long, device=CARD),
    }
    required = {key for key, parameter in wanted.items() if parameter.default is inspect.Parameter.empty and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)}
    main = {model.main_input_name, *required}
    if "input_ids" in wanted and "input_ids" in main:
        main.add("attention_mask")
    if getattr(config, "is_encoder_decoder", False):
        main.add("decoder_input_ids")
    if {"pixel_values", "input_ids"} <= set(wanted) and model.main_input_name == "input_ids" and model.__class__.__name__.endswith(("Model", "Retrieval", "Matching")):
        main.add("pixel_values")
    return {key: value for key, value in known.items() if key in main and key in wanted}


def covered(keys, name):
    while name and name not in keys:
        name = name.rpartition(".")[0]
    return name in keys


def behind(model, device_map):
    """Buffers of no file that a map leaves on the CPU; those of the root move with it."""
    unsaved = [name for name, _ in model.named_non_persistent_buffers() if "." in name and not covered(device_map, name)]
    homes = expand_device_map(device_map, unsaved)
    return [name for name in unsaved if homes[name] != 0]


def placed(model, device_map):
    """Every tensor where it is while its module runs; inputs of modules under a key follow to the card."""
    keys = set(device_map)
    left = set(behind(model, device_map))
    for path, module in model.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = torch.nn.Parameter(on(CARD, parameter), requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is None:
                continue
            module._buffers[name] = on("cpu" if f"{path}.{name}" in left else CARD, buffer)
        if path == "" or (covered(keys, path) and (len(module.state_dict()) > 0 or module._buffers)):
            module.register_forward_pre_hook(bring, with_kwargs=True)


def on(device, tensor):
    """A fake one for one that has no values."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=device)


def bring(_, args, kwargs):
    move = lambda each: each.to(CARD) if isinstance(each, torch.Tensor) else each
    return tree_map(move, args), tree_map(move, kwargs)


def ran(cls, config, device_map):
    with torch.device("meta"):
        model = cls._from_config(config, dtype=DTYPE).eval()
    with FakeTensorMode(allow_non_fake_inputs=True):
        placed(model, device_map)
        with torch.no_grad():
            model(**inputs(model, config))


def judged_by(cls, config, device_map):
    try:
        ran(cls, config, {"": 0})
    except Exception as error:
        return {"not judged": f"{type(error).__name__}: {str(error)[:120]}"}
    try:
        ran(cls, config, device_map)
    except Exception as error:
        return {"fault": f"{type(error).__name__}: {str(error)[:300]}"}
    return {}


def apart(work):
    """Its answer from a process of its own: some operators end the process on fake tensors."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(said) if said else {"not judged": f"the process ended with status {status}"}


def main():
    arguments = sys.argv[1:]
    value = lambda flag, default: float(arguments[arguments.index(flag) + 1]) if flag in arguments else default
    names = [each for each in arguments if each[:1].isalpha()]
    table = table_of.table_text.decode(table_of.table_text.committed(f"{here}/../../src/planner/models/model-table.ts"))
    type_of = {}
    for model_type, classes in table["types"].items():
        for name in classes:
            type_of.setdefault(name, model_type)
    planner = subprocess.Popen(["node", f"{here}/plan-models.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    judged = held = 0
    for name in names or sorted(type_of)[:: int(value("--every", 1))]:
        row = {"class": name}
        try:
            cls, config = configured(name, type_of[name])
            with torch.device("meta"):
                model = cls._from_config(config, dtype=DTYPE)
            file = published(model)
            tensors = {key: [NAMES[tensor.dtype], list(tensor.shape)] for key, tensor in file.items()}
            planner.stdin.write(json.dumps({"config": json.loads(config.to_json_string()), "tensors": tensors, "fractions": [value("--fraction", 0.5)], "dtype": "float16"}) + "\n")
            planner.stdin.flush()
            answer = json.loads(planner.stdout.readline())
            device_map = answer["answers"][0]["map"] if "answers" in answer else None
            if device_map is None:
                raise ValueError(answer.get("error", "no plan"))
        except Exception as error:
            print(json.dumps({**row, "not planned": f"{type(error).__name__}: {str(error)[:120]}"}), flush=True)
            continue
        row["left"] = behind(model, device_map)[:4]
        if not row["left"] and "--all" not in arguments:
            print(json.dumps(row), flush=True)
            continue
        row.update(apart(lambda: judged_by(cls, config, device_map)))
        judged += "not judged" not in row
        held += "not judged" not in row and "fault" not in row
        print(json.dumps(row), flush=True)
    print(f"{judged} classes leave buffers on the CPU and run on fake tensors, {held} of them by our maps", file=sys.stderr)


main()
