"""Do maps hold for every class of the table? Default configurations on the meta device, under the names of published files.

  python bench/planner/check_models.py [CLASS ...] [--every N] [--auto | --explain] > models.jsonl

For each class of src/planner/models/model-table.ts that builds: file names are transformers' own conversions reversed, shapes and dtypes
those of the model in float16; the planner answers for 25, 50 and 75 % of the loaded bytes; accelerate's check_device_map judges the map,
the loader's and the hooks' readings must agree, ties be whole, no block that must not be split cut, no key unknown, the planned bytes be those
of the parameters on each device, buffers that no file holds have a place where they need one, and their bytes be those counted. With --auto: bytes streamed for a token, ours and those of transformers' own map, by how much its map
exceeds the budget, and ours where it is given as much. With --explain, instead: what `explain` says against maps that accelerate and transformers
themselves make (infer_auto_device_map, device_map="auto") at the same budgets. Needs transformers, torch, accelerate; a build of this package (npm run build).
"""

import importlib.util
import json
import logging
import os
import re
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
from accelerate.utils import check_device_map, infer_auto_device_map
from transformers.core_model_loading import build_glob_alternation
from transformers.integrations.accelerate import _get_device_map, expand_device_map
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from published import published

logging.disable(logging.CRITICAL)
NAMES = {torch.float16: "F16", torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.bool: "BOOL", torch.float64: "F64", torch.uint8: "U8", torch.int8: "I8", torch.complex64: "C64"}
DTYPE = torch.float16
FRACTIONS = [0.25, 0.5, 0.75]


def build(name, model_type):
    cls = getattr(transformers, name)
    config = table_of.default_config(CONFIG_MAPPING[model_type] if model_type in CONFIG_MAPPING else cls.config_class, cls)
    with torch.device("meta"):
        model = cls._from_config(config, dtype=DTYPE)
    config.architectures = [name]
    return model, config


def loaded_bytes(model):
    """Loaded name -> bytes, a tied tensor once."""
    plan = model._get_dtype_plan(DTYPE)
    kept = build_glob_alternation(list(plan))[0] if plan else None
    sizes = {}
    for key, tensor in model.state_dict().items():
        if key in model.all_tied_weights_keys:
            continue
        floating = tensor.dtype.is_floating_point
        wide = 4 if floating and ((kept is not None and kept.search(key)) or tensor.dtype == torch.float32) else None
        sizes[key] = tensor.numel() * (wide or (2 if floating else tensor.element_size()))
    return sizes


def unsaved(model):
    """Buffers that no file holds."""
    state = set(model.state_dict())
    return {name: buffer for name, buffer in model.named_buffers(remove_duplicate=False) if name not in state}


def dotted(device_map, name):
    while name not in device_map and name:
        name = name.rpartition(".")[0]
    return device_map.get(name)


def faults(model, answer, sizes, needing):
    device_map = answer["map"]
    if device_map is None:
        return ["no plan"]
    found = []
    state = list(model.state_dict())
    modules = {key for key, _ in model.named_modules(remove_duplicate=False)} | set(state) | set(unsaved(model))
    unknown = [key for key in device_map if key not in modules]
    if unknown:
        found.append(f"unknown keys: {unknown[:3]}")
    try:
        check_device_map(model, dict(device_map))
    except Exception as error:
        found.append(f"check_device_map: {str(error)[:200]}")
    loader = expand_device_map(device_map, state)
    if device_map != {"": loader[state[0]]} or len(device_map) > 1:
        apart = [key for key in state if loader[key] != dotted(device_map, key)]
        if apart:
            found.append(f"read two ways: {apart[:2]}")
    split = [a for a, b in model.all_tied_weights_keys.items() if loader.get(a) != loader.get(b)]
    if split:
        found.append(f"ties split: {split[:2]}")
    behind = [key for key in unsaved(model) if dotted(device_map, key) is None and any(each.fullmatch(key) for each in needing)]
    if behind:
        found.append(f"left behind: {behind[:3]}")
    whole = set(model._no_split_modules or [])
    for path, module in model.named_modules():
        if type(module).__name__ in whole and path:
            homes = {loader[key] for key in state if key.startswith(f"{path}.")}
            if len(homes) > 1:
                found.append(f"cut: {path}")
                break
    real = {}
    for key, size in sizes.items():
        real[str(loader[key])] = real.get(str(loader[key]), 0) + size
    planned = {key: value for key, value in answer["weights"].items() if value}
    if {key: value for key, value in real.items() if value} != planned:
        found.append(f"bytes: planned {planned}, loaded {real}")
    return found


def theirs(model, total):
    """Maps that accelerate and transformers make themselves; each once."""
    maps = []
    for fraction in FRACTIONS:
        memory = {0: int(total * fraction), "cpu": 10**15}
        maps.append(infer_auto_device_map(model, max_memory=dict(memory), no_split_module_classes=model._no_split_modules))
        maps.append(_get_device_map(model, "auto", dict(memory), None))
    return [json.loads(each) for each in dict.fromkeys(json.dumps(each) for each in maps)]


def main():
    arguments = sys.argv[1:]
    explains = "--explain" in arguments
    every = int(arguments[arguments.index("--every") + 1]) if "--every" in arguments else 1
    names = [each for each in arguments if each[:1].isalpha()]
    table = table_of.table_text.decode(table_of.table_text.committed(f"{here}/../../src/planner/models/model-table.ts"))
    type_of = {}
    for model_type, classes in table["types"].items():
        for name in classes:
            type_of.setdefault(name, model_type)
    planner = subprocess.Popen(["node", f"{here}/plan-models.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    tried = held = sound = 0
    for name in names or sorted(type_of)[::every]:
        try:
            model, config = build(name, type_of[name])
            file = published(model)
            sizes = loaded_bytes(model)
        except Exception as error:
            print(json.dumps({"class": name, "built": f"{type(error).__name__}: {str(error)[:150]}"}), flush=True)
            continue
        rows = [row.split(" ")[0] for row in table["classes"][name].get("unsaved", [])]
        needing = [re.compile(re.escape(row[:-1]).replace(r"\*", r"\d+") + r"(\.\w+)?") for row in rows if row.endswith("!")]
        tensors = {key: [NAMES[tensor.dtype], list(tensor.shape)] for key, tensor in file.items()}
        try:
            line = json.dumps({"config": json.loads(config.to_json_string()), "tensors": tensors, "fractions": FRACTIONS, "dtype": "float16", "auto": "--auto" in arguments, **({"maps": theirs(model, sum(sizes.values()))} if explains else {})})
        except Exception as error:
            print(json.dumps({"class": name, "built": f"config or maps: {type(error).__name__}: {str(error)[:150]}"}), flush=True)
            continue
        planner.stdin.write(line + "\n")
        planner.stdin.flush()
        answer = json.loads(planner.stdout.readline())
        if "error" in answer:
            said = [answer["error"]]
        elif explains:
            said = sorted({issue for issues in answer["issues"] for issue in issues})
        else:
            said = sorted({fault for each in answer["answers"] for fault in faults(model, each, sizes, needing)})
            beside = sum(each.numel() * each.element_size() for each in unsaved(model).values() if each.numel() >= table_of.LEAST)
            if answer["bufferBytes"] != beside:
                said.append(f"bytes of buffers: planned {answer['bufferBytes']}, loaded {beside}")
        tried += 1
        held += not [fault for fault in said if not fault.startswith("bytes")]
        sound += not said
        print(json.dumps({"class": name, "tensors": len(tensors), "planned as": answer.get("class"), "ms": answer.get("ms"), "bytes": sum(sizes.values()), "faults": said, **({"tokens": [{key: each.get(key) for key in ("fraction", "perToken", "perTokenAsMuch", "autoPerToken", "autoMap", "over", "ms")} for each in answer.get("answers", [])]} if "--auto" in arguments else {})}), flush=True)
    print(f"{tried} classes: {held} with maps that hold, {sound} of them with exact bytes", file=sys.stderr)


main()
