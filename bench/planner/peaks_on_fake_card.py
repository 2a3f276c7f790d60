"""What plans count beside weights, against what torch has in memory at most: default configurations on fake tensors, bytes and no values.

  python bench/planner/peaks_on_fake_card.py [CLASS ...] [--every N] [--below 0.8] > peaks.jsonl

One pass over the inputs that `run_on_fake_card.py` guesses, in full size and bfloat16; every storage that an operation makes counts from then until nothing
holds it. Of 26 tiny models of `record_activations.py` that is what the profiler counts, to ten bytes, for 22, and 0.96 to 1.24 of it for the others.
The plan is for as many tokens as the input has, or for its usual work where that is a picture. Needs transformers and torch; a build of this package.
"""

import inspect
import json
import subprocess
import sys

import run_on_fake_card as fake
import torch
from fake_run import apart, inputs, run_live
from picture_peaks import processor_size

DTYPE = torch.bfloat16
TOKENS = 512


def longer(model, given):
    """As many tokens as plans are asked for, and logits as `generate` asks for them."""
    ids = torch.ones(1, TOKENS, dtype=torch.long)
    made = {"input_ids": ids, "attention_mask": ids, "bbox": torch.ones(1, TOKENS, 4, dtype=torch.long)}
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    return {**{key: made.get(key, value) for key, value in given.items()}, **last}


def peak(cls, config):
    with torch.device("meta"):
        model = cls._from_config(config, dtype=DTYPE).eval()
    size = processor_size(config.model_type)
    most, given = run_live(model, lambda: longer(model, inputs(model, config, "cpu", DTYPE, size or 224)))
    return {"peak": most, "inputs": {key: list(value.shape) for key, value in given.items() if isinstance(value, torch.Tensor)}}


def measured(cls, config):
    try:
        return peak(cls, config)
    except Exception as error:
        return {"not run": f"{type(error).__name__}: {str(error)[:160]}"}


def main():
    arguments = sys.argv[1:]
    value = lambda flag, default: float(arguments[arguments.index(flag) + 1]) if flag in arguments else default
    table = fake.table_of.table_text.decode(fake.table_of.table_text.committed(f"{fake.here}/../../src/planner/models/model-table.ts"))
    type_of = {}
    for model_type, classes in table["types"].items():
        for name in classes:
            type_of.setdefault(name, model_type)
    planner = subprocess.Popen(["node", f"{fake.here}/plan-models.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    names = [each for each in arguments if each[:1].isalpha()]
    run = below = 0
    for name in names or sorted(type_of)[:: int(value("--every", 1))]:
        row = {"class": name}
        try:
            cls, config = fake.configured(name, type_of[name])
            row.update(apart(lambda: measured(cls, config)) or {"not run": "the process ended"})
            if "peak" in row:
                with torch.device("meta"):
                    model = cls._from_config(config, dtype=DTYPE)
                file = fake.published(model)
                tensors = {key: [fake.NAMES[tensor.dtype], list(tensor.shape)] for key, tensor in file.items()}
                work = {"newTokens": 1, **({"promptTokens": TOKENS} if "input_ids" in row["inputs"] else {})}
                planner.stdin.write(json.dumps({"config": json.loads(config.to_json_string()), "tensors": tensors, "dtype": "bfloat16", "workload": work}) + "\n")
                planner.stdin.flush()
                row["counted"] = json.loads(planner.stdout.readline())
                if "bytes" in row["counted"]:
                    row["ratio"] = round(row["counted"]["bytes"] / row["peak"], 3)
                    run += 1
                    below += row["ratio"] < value("--below", 0.8)
        except Exception as error:
            row["not built"] = f"{type(error).__name__}: {str(error)[:120]}"
        print(json.dumps(row), flush=True)
    print(f"{run} classes run, of {below} plans count less than {value('--below', 0.8)} of the peak", file=sys.stderr)


if __name__ == "__main__":
    main()
