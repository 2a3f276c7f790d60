"""Reads device maps (JSON lines of shape, config, map) with the real libraries: accelerate's check_device_map must accept
each, and transformers' loader and the dotted prefixes of accelerate's hooks must send every parameter to the same device.

  python check_maps.py maps.jsonl
"""
import json, sys, warnings, logging

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import accelerate, torch, transformers
from accelerate.utils import check_device_map
from transformers import Blip2Config, Blip2ForConditionalGeneration
from transformers.integrations.accelerate import expand_device_map


def dotted(device_map, name):
    while name and name not in device_map:
        name = name.rpartition(".")[0]
    return device_map[name]


models, checked, parameters = {}, 0, 0
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row["shape"] not in models:
        with torch.device("meta"):
            models[row["shape"]] = Blip2ForConditionalGeneration(Blip2Config(**row["config"]))
    model, device_map = models[row["shape"]], row["map"]
    check_device_map(model, device_map)
    names = list(model.state_dict())
    loader = expand_device_map(device_map, names)
    for name in names:
        assert loader[name] == dotted(device_map, name), (row["shape"], name, loader[name], dotted(device_map, name))
    for alias, source in model.all_tied_weights_keys.items():
        assert loader[alias] == loader[source], (row["shape"], alias, source)
    checked, parameters = checked + 1, parameters + len(names)
print(f"{checked} maps, {parameters} parameters: accepted by accelerate {accelerate.__version__}, read alike by transformers {transformers.__version__}")
