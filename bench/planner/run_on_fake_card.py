"""Do models run by our maps where a card is a device of its own? Default configurations on torch's fake tensors: devices and shapes, no values.

  python bench/planner/run_on_fake_card.py [CLASS ...] [--every N] [--fraction 0.5 | --two-cards [--towers]] > fake.jsonl

Without a card hooks are usually tried with "cpu" in its place, where a tensor that stays behind on the CPU is not noticed. Here weights lie
where transformers and accelerate put them for a map (what a key covers: on the card when it runs; buffers of no file that no key covers: on the CPU),
modules under a key have their inputs brought to the card, as hooks do, and an operation on two devices raises. A class whose forward does not
run on fake tensors with everything on the card says so and is not judged. With --two-cards, of few layers: plans for two halves and
for two thirds of it, and two with all that may be on either card there in turns; with --towers `get_image_features` is run, and not the whole. Needs transformers, torch, accelerate; a build of this package.
"""

import copy
import importlib.util
import inspect
import json
import logging
import os
import subprocess
import sys
import traceback
import warnings

warnings.filterwarnings("ignore")
here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("model_table", f"{here}/../../scripts/model-table.py")
table_of = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table_of)

import torch
import transformers
from accelerate.hooks import ModelHook, add_hook_to_module
from accelerate.utils import send_to_device
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers.integrations.accelerate import expand_device_map
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from fake_run import apart, inputs, lookup, on, sides_of
from published import published

logging.disable(logging.CRITICAL)
NAMES = {torch.float16: "F16", torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.bool: "BOOL", torch.float64: "F64", torch.uint8: "U8", torch.int8: "I8", torch.complex64: "C64"}
CARD = torch.device("cuda:0")
DTYPE = torch.float16
# Asked for where experts are multiplied; there is no card to ask.
torch.cuda.get_device_capability = lambda *_: (9, 0)


def configured(name, model_type):
    cls = getattr(transformers, name)
    config = table_of.default_config(CONFIG_MAPPING[model_type], cls)
    config.architectures = [name]
    return cls, config


COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "decoder_layers", "num_encoder_layers", "num_decoder_layers", "depth")
FEW = 4


def shortened(cls, config):
    """With few layers, where it builds so: more of them show nothing else."""
    whole = copy.deepcopy(config)
    parts = [config, *(part for part in vars(config).values() if isinstance(part, transformers.PretrainedConfig))]
    try:
        for part in parts:
            for field in COUNTS:
                if type(getattr(part, field, None)) is int:
                    setattr(part, field, min(FEW, getattr(part, field)))
            for field in ("layer_types", "layers_block_type"):
                if isinstance(vars(part).get(field), list):
                    setattr(part, field, getattr(part, field)[:FEW])
        with torch.device("meta"):
            cls._from_config(config, dtype=DTYPE)
        return config
    except Exception:
        return whole


def key_of(keys, name):
    while name and name not in keys:
        name = name.rpartition(".")[0]
    return name if name in keys else None


def behind(model, device_map):
    """Buffers of no file that a map leaves on the CPU; those of the root move with it."""
    unsaved = [name for name, _ in model.named_non_persistent_buffers() if "." in name and key_of(device_map, name) is None]
    homes = expand_device_map(device_map, unsaved)
    return [name for name in unsaved if homes[name] in ("cpu", "disk")]


class Brings(ModelHook):
    def __init__(self, device, skipped):
        self.device, self.skipped = device, skipped

    def pre_forward(self, module, *args, **kwargs):
        return send_to_device(args, self.device), send_to_device(kwargs, self.device, skip_keys=self.skipped)


def placed(model, device_map):
    """Every tensor where it is while its module runs; inputs of modules that have a hook follow to their card."""
    main = min([0, *(home for home in device_map.values() if isinstance(home, int))])
    card = lambda home: torch.device(f"cuda:{home if isinstance(home, int) else main}")
    left = set(behind(model, device_map))
    under = lambda name: (key := key_of(device_map, name)) is not None and device_map[key]
    for path, module in model.named_modules():
        key = key_of(device_map, path)
        home = card(device_map[key] if key is not None else main)
        # A tensor's own key is that of no hook; the root's are on the main card whatever they have.
        where = lambda name: home if key is not None or not path else card(under(f"{path}.{name}"))
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = torch.nn.Parameter(on(where(name), parameter), requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = on("cpu" if f"{path}.{name}" in left else where(name), buffer)
        is_offloaded = key is not None and not isinstance(device_map[key], int)
        holds = len(module.state_dict()) > 0 or (is_offloaded and len(module._buffers) > 0)
        if path == "" or path == key or (key is not None and holds):
            add_hook_to_module(module, Brings(home, model._skip_keys_device_placement))


def tower_inputs(model, config):
    """What its tower asks for of a picture that is known how to make; null for a model without one."""
    encode = getattr(model, "get_image_features", None) or getattr(getattr(model, "model", None), "get_image_features", None)
    vision = getattr(config, "vision_config", None)
    if encode is None or vision is None:
        return None
    wanted = inspect.signature(encode).parameters
    channels, (high, wide) = lookup(vision, "num_channels", "in_channels", "in_chans") or 3, sides_of(vision)
    floats = lambda *shape: torch.rand(*shape, device=CARD, dtype=DTYPE)
    known = {"pixel_values": floats(1, channels, high, wide), "image_sizes": torch.tensor([[high, wide]])}
    if "image_grid_thw" in wanted:
        patch = lookup(vision, "patch_size") or 14
        known["pixel_values"] = floats(256, channels * patch**2 * (lookup(vision, "temporal_patch_size") or 1))
        known["image_grid_thw"] = torch.tensor([[1, 16, 16]])
    if "aspect_ratio_ids" in wanted:
        known.update(pixel_values=floats(1, 1, 4, channels, high, wide), aspect_ratio_ids=torch.ones(1, 1, dtype=torch.long, device=CARD), aspect_ratio_mask=torch.ones(1, 1, 4, dtype=torch.long, device=CARD))
    return encode, {key: value for key, value in known.items() if key in wanted}


def ran(cls, config, device_map, with_tower=False):
    with torch.device("meta"):
        model = cls._from_config(config, dtype=DTYPE).eval()
    with FakeTensorMode(allow_non_fake_inputs=True):
        placed(model, device_map)
        with torch.no_grad():
            if with_tower:
                encode, given = tower_inputs(model, config)
                encode(**given)
            else:
                model(**inputs(model, config, CARD, DTYPE))


def judged_by(cls, config, device_maps, with_tower=False):
    try:
        ran(cls, config, {"": 0}, with_tower)
    except Exception as error:
        return {"not judged": f"{type(error).__name__}: {str(error)[:120]}"}
    faults = []
    for device_map in device_maps:
        try:
            ran(cls, config, device_map, with_tower)
        except Exception as error:
            here = [frame for frame in traceback.extract_tb(error.__traceback__) if "/transformers/models/" in frame.filename]
            faults.append(f"{type(error).__name__}: {str(error)[:150]}: {'; '.join(f'{frame.name}: {frame.line}' for frame in here[-2:])}")
        else:
            faults.append(None)
    return {"faults": faults}


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
    # What torch imports for a first run is imported once, and not in every process.
    ran(*configured("BertModel", "bert"), {"": 0})
    judged = held = 0
    for name in names or sorted(type_of)[:: int(value("--every", 1))]:
        row = {"class": name}
        try:
            cls, config = configured(name, type_of[name])
            if "--two-cards" in arguments:
                config = shortened(cls, config)
            with torch.device("meta"):
                model = cls._from_config(config, dtype=DTYPE)
            file = published(model)
            tensors = {key: [NAMES[tensor.dtype], list(tensor.shape)] for key, tensor in file.items()}
            asked = {"twoCards": True} if "--two-cards" in arguments else {"fractions": [value("--fraction", 0.5)]}
            planner.stdin.write(json.dumps({"config": json.loads(config.to_json_string()), "tensors": tensors, "dtype": "float16", **asked}) + "\n")
            planner.stdin.flush()
            answer = json.loads(planner.stdout.readline())
            maps = answer["maps"] if "maps" in answer else [each["map"] for each in answer.get("answers", [])]
            device_maps = [each for each in maps if isinstance(each, dict)]
            if not device_maps:
                raise ValueError(answer.get("error", next((each for each in maps if each), "no plan")))
        except Exception as error:
            print(json.dumps({**row, "not planned": f"{type(error).__name__}: {str(error)[:120]}"}), flush=True)
            continue
        row["left"] = behind(model, device_maps[0])[:4]
        if not row["left"] and not {"--all", "--two-cards"} & set(arguments):
            print(json.dumps(row), flush=True)
            continue
        with_tower = "--towers" in arguments
        row.update({"maps": len(device_maps)}, **(apart(lambda: judged_by(cls, config, device_maps, with_tower)) or {"not judged": "the process ended"}))
        judged += "faults" in row
        held += "faults" in row and not any(row["faults"])
        print(json.dumps(row), flush=True)
    print(f"{judged} classes run on fake tensors, {held} of them by our maps", file=sys.stderr)


if __name__ == "__main__":
    main()
