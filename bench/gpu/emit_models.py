"""Maps for models_on_card.py, planned from headers alone: no weights, no GPU.

  npm run build
  python bench/gpu/emit_models.py FOLDER [--gpu H100] [--fraction 0.5] [NAME ...]

For each model of model-shapes.json, a sparse checkpoint under the names that published files have, and what `device-map` answers for a card
that may hold a fraction of the loaded bytes. FOLDER gets a file per model: class, configuration, budget, workload, map and
what the plan predicts of it and of transformers' own map. Needs torch, transformers.
"""

import argparse
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{here}/../planner")
from published import published  # noqa: E402

STORED = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.int64: "I64"}


def on_meta(shape):
    config = CONFIG_MAPPING[shape["type"]](**shape["config"])
    config.architectures = [shape["class"]]
    with torch.device("meta"):
        return getattr(transformers, shape["class"])._from_config(config, dtype=getattr(torch, shape["dtype"]))


def write_sparse(folder, model, dtype):
    """Header and holes."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in published(model).items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": STORED[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)
    config = {**json.loads(model.config.to_json_string()), "dtype": dtype}
    with open(f"{folder}/config.json", "w") as file:
        json.dump(config, file)
    return config


def device_map(folder, *flags):
    command = ["node", f"{here}/../../dist/cli/blip2-plan.js", folder, "--engine", "transformers", "--json", *flags]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode not in (0, 3):
        sys.exit(f"{ran.stdout}{ran.stderr}")
    print(ran.stderr, file=sys.stderr)
    return json.loads(ran.stdout)


def planned(name, shape, fraction, gpu):
    model = on_meta(shape)
    with tempfile.TemporaryDirectory() as folder:
        config = write_sparse(folder, model, shape["dtype"])
        work = ("--prompt-tokens", str(shape["promptTokens"]), "--max-new-tokens", str(shape["newTokens"]), "--cut-layers", "--gpu", gpu, "--dtype", shape["dtype"])
        whole = device_map(folder, *work, "--vram", "1000G")
        loaded = sum(device["weightBytes"] for device in whole["devices"])
        budget = math.floor(fraction * loaded)
        ours = device_map(folder, *work, "--vram", str(budget))
        auto = device_map(folder, *work, "--vram", str(budget), "--strategy", "balanced")
        # Ours, where it is given what the plan of their map takes.
        over = max([0, *(-device["freeBytes"] for device in auto["devices"] if device["id"] == 0)])
        as_much = device_map(folder, *work, "--vram", str(budget + math.ceil(1.001 * over))) if over else ours
    kept = {"ours": ours, "auto": auto, "ours-as-much": as_much}
    return {
        "name": name,
        **{key: shape[key] for key in ("class", "type", "dtype", "promptTokens", "newTokens")},
        "patches": shape.get("patches"),
        "config": config,
        "loadedBytes": loaded,
        "budgetBytes": budget,
        "maps": {"ours": ours["device_map"], "ours-as-much": as_much["device_map"], "auto-as-planned": auto["device_map"]},
        "predicted": {key: predicted(plan) for key, plan in kept.items()},
    }


def predicted(plan):
    cost = plan["cost"]
    used = [device["budgetBytes"] - device["freeBytes"] for device in plan["devices"] if device["id"] == 0]
    return {"ms": round(cost["latencyMs"]), "bytesPerToken": cost["streamedBytesPerToken"], "gpuBytes": used[0] if used else 0}


def main():
    given = argparse.ArgumentParser()
    given.add_argument("folder")
    given.add_argument("names", nargs="*")
    given.add_argument("--gpu", default="H100")
    given.add_argument("--fraction", type=float, default=0.5)
    given.add_argument("--shapes", default=f"{here}/model-shapes.json")
    args = given.parse_args()
    with open(args.shapes) as file:
        shapes = json.load(file)
    os.makedirs(args.folder, exist_ok=True)
    for name in args.names or shapes:
        said = planned(name, shapes[name], args.fraction, args.gpu)
        with open(f"{args.folder}/{name}.json", "w") as file:
            json.dump(said, file)
        print(name, said["loadedBytes"], said["budgetBytes"], json.dumps(said["predicted"]))


if __name__ == "__main__":
    main()
