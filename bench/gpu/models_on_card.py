"""Models other than BLIP-2 on one card: transformers executes a map of ours and its own ("auto") in turns, in one process.

  python bench/gpu/models_on_card.py FOLDER [NAME ...] [--arms ours,ours:locked,auto] [--rounds 2] [--tokens N] [--seconds 45] [--total 190] > on-card.jsonl

FOLDER is what emit_models.py wrote. Full-size models with random weights, made on the card and kept in pageable host memory; nothing is
downloaded. Each turn builds the model anew, hands it to accelerate's dispatch_model as from_pretrained does, and generates the tokens it was
planned for, or --tokens if that is less, greedily. auto's map is made here, by transformers itself, from max_memory = the same budget. Prints a line for each turn and
one of medians for each model. No call lasts longer than --seconds, a model starts no second round after as much, and none starts after
--total. --on-cpu stands in for a card: 0 -> "cpu" and "cpu" -> "disk". "step" is a token after the first; "peak" is torch's max_memory_allocated from dispatch to the last token.
"""

import argparse
import gc
import inspect
import json
import math
import os
import statistics
import sys
import tempfile
import time
import warnings
import zlib

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
warnings.filterwarnings("ignore")
import accelerate
import torch
import transformers
from accelerate import dispatch_model, init_empty_weights
from accelerate.hooks import AlignDevicesHook, named_module_tensors
from accelerate.utils import check_device_map
from page_lock import page_lock
from transformers import GenerationMixin, StoppingCriteria, StoppingCriteriaList
from transformers.integrations.accelerate import _get_device_map
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

transformers.logging.set_verbosity_error()
STARTED = time.time()


def skeleton(said, dtype):
    """The model without weights; its buffers are real."""
    config = CONFIG_MAPPING[said["type"]].from_dict(said["config"])
    with init_empty_weights(include_buffers=False):
        model = getattr(transformers, said["class"])._from_config(config, dtype=dtype).eval()
    model.tie_weights()
    return model


def kept_in_float32(model, dtype):
    if dtype == torch.float16 and getattr(model, "_keep_in_fp32_modules", None):
        return tuple(model._keep_in_fp32_modules)
    return tuple(getattr(model, "_keep_in_fp32_modules_strict", None) or ())


def random_weights(model, dtype, card):
    """Name -> a tensor in host memory, a tied one once."""
    wide = kept_in_float32(model, dtype)
    torch.manual_seed(0)
    weights = {}
    for name, parameter in model.named_parameters():
        kind = torch.float32 if any(part in wide for part in name.split(".")) else dtype
        made = torch.empty(parameter.shape, dtype=kind, device=card)
        if made.dim() >= 2:
            made.normal_(0, 0.02)
        else:
            made.fill_(1 if name.endswith("weight") else 0)
        weights[name] = made.cpu()
    return weights


def dressed(said, dtype, weights):
    model = skeleton(said, dtype)
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    left = [name for name, tensor in model.named_parameters() if tensor.device.type == "meta"]
    if left:
        sys.exit(f"{said['name']}: without weights: {left[:3]}")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def home_of(device_map, name):
    while name not in device_map and name:
        name = name.rpartition(".")[0]
    return device_map.get(name)


class Clock(StoppingCriteria):
    """When each token was there, and what had been copied by then; ends the call when it is late."""

    def __init__(self, wait, until, copies=None):
        self.wait, self.until, self.copies = wait, until, copies
        self.times, self.totals = [], []

    def __call__(self, ids, scores, **_):
        self.wait()
        self.times.append(time.perf_counter())
        self.totals.append(self.copies.total if self.copies else 0)
        return torch.full((ids.shape[0],), time.time() > self.until, dtype=torch.bool, device=ids.device)


def inputs(said, model, dtype, card):
    config, count = model.config, said["promptTokens"]
    if said["type"] == "whisper":
        sound = torch.randn(1, config.num_mel_bins, 2 * config.max_source_positions, generator=torch.Generator().manual_seed(1))
        return {"input_features": sound.to(card, dtype), "decoder_input_ids": torch.tensor([[1, 2, 3]], device=card)}
    ids = (torch.arange(count)[None] * 7919) % min(30000, config.get_text_config().vocab_size - 8) + 3
    if not said["patches"]:
        return {"input_ids": ids.to(card), "attention_mask": torch.ones_like(ids).to(card)}
    high, wide = said["patches"]
    vision = config.vision_config
    merged = high * wide // vision.spatial_merge_size**2
    ids[0, 4 : 4 + merged] = config.image_token_id
    pixels = torch.randn(high * wide, 3 * vision.temporal_patch_size * vision.patch_size**2, generator=torch.Generator().manual_seed(1))
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels.to(dtype), "image_grid_thw": torch.tensor([[1, high, wide]])}
    if "mm_token_type_ids" in inspect.signature(model.forward).parameters:
        given["mm_token_type_ids"] = (ids == config.image_token_id).int()
    return {key: value.to(card) for key, value in given.items()}


def generate(model, given, tokens, clock):
    clock.wait()
    began = time.perf_counter()
    with torch.no_grad():
        # Not Whisper's own generate, which wants a tokenizer's numbers.
        out = GenerationMixin.generate(model, **given, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, num_beams=1, stopping_criteria=StoppingCriteriaList([clock]))
    ids = (out if isinstance(out, torch.Tensor) else out.sequences)[0].tolist()
    return ids, [after - before for before, after in zip([began, *clock.times], clock.times)]


class Copies:
    """Bytes that hooks copy in each call of the model, counted while it is entered."""

    def __enter__(self):
        self.total, self.original = 0, AlignDevicesHook.pre_forward

        def counting(hook, module, *args, **kwargs):
            if hook.offload:
                held = named_module_tensors(module, include_buffers=hook.offload_buffers, recurse=hook.place_submodules, remove_non_persistent=True)
                self.total += sum(tensor.numel() * tensor.element_size() for _, tensor in held)
            return self.original(hook, module, *args, **kwargs)

        AlignDevicesHook.pre_forward = counting
        return self

    def __exit__(self, *_):
        AlignDevicesHook.pre_forward = self.original


def bytes_per_token(model, given, wait):
    """What the second of two tokens copies."""
    with Copies() as copies:
        clock = Clock(wait, math.inf, copies)
        generate(model, given, 2, clock)
    return clock.totals[1] - clock.totals[0]


def turn(said, dtype, weights, arm, device_map, args, first):
    """One dispatch and one generation."""
    on_card = not args.on_cpu
    wait = torch.cuda.synchronize if on_card else (lambda: None)
    main = "cpu" if args.on_cpu or 0 not in device_map.values() else "cuda:0"
    with tempfile.TemporaryDirectory() as folder:
        model = dressed(said, dtype, weights)
        check_device_map(model, dict(device_map))
        before = 0
        if on_card:
            gc.collect()
            torch._C._cuda_clearCublasWorkspaces()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        began = time.perf_counter()
        homes = {key: {0: "cpu", "cpu": "disk"}[home] for key, home in device_map.items()} if args.on_cpu else dict(device_map)
        if set(homes.values()) != {"disk"}:
            dispatch_model(model, device_map=homes, offload_dir=folder if args.on_cpu else None, skip_keys=model._skip_keys_device_placement)
        wait()
        dispatch_s = time.perf_counter() - began
        locked = page_lock(model) if arm.endswith(":locked") else 0
        lock_s = time.perf_counter() - began - dispatch_s
        given = inputs(said, model, dtype, main)
        # The first turn of an arm counts its copies, which also warms it up.
        copied = bytes_per_token(model, given, wait) if first else None
        ids, times = generate(model, given, min(args.tokens or said["newTokens"], said["newTokens"]), Clock(wait, time.time() + args.seconds))
        row = {
            "model": said["name"], "arm": arm, "tokens": len(times), "tokensPerSecond": len(times) / sum(times), "firstTokenMs": 1000 * times[0],
            "stepMs": 1000 * statistics.median(times[1:]), "dispatchS": dispatch_s, "lockedBytes": locked, "lockS": lock_s, "ids": zlib.crc32(json.dumps(ids).encode()),
            "peakBytes": torch.cuda.max_memory_allocated() if on_card else None,
            "reservedBytes": torch.cuda.max_memory_reserved() if on_card else None, "beforeBytes": before,
        }
        if copied is not None:
            row["copiedBytesPerToken"] = copied
        del model, given
        gc.collect()
    return row


def medians(said, arms, rows):
    budget = said["budgetBytes"]
    line = {"model": said["name"], "loadedBytes": said["loadedBytes"], "budgetBytes": budget}
    for arm in arms:
        own = [row for row in rows if row["arm"] == arm]
        if own:
            mid = {key: statistics.median(row[key] for row in own) for key in ("tokensPerSecond", "firstTokenMs", "stepMs")}
            peak = max(row["peakBytes"] or 0 for row in own)
            predicted = said["predicted"].get(arm, {})
            line[arm] = {**mid, "turns": len(own), "peakBytes": peak, "overBudgetBytes": peak - budget, "countedBytes": predicted.get("gpuBytes"), "copiedBytesPerToken": own[0].get("copiedBytesPerToken"), "predictedMs": predicted.get("ms"), "predictedBytesPerToken": predicted.get("bytesPerToken")}
    for arm in arms:
        if arm != "auto" and arm in line and "auto" in line:
            line[f"{arm} / auto"] = {"tokensPerSecond": line[arm]["tokensPerSecond"] / line["auto"]["tokensPerSecond"], "step": line["auto"]["stepMs"] / line[arm]["stepMs"]}
    line["ids equal"] = len({row["ids"] for row in rows}) == 1
    return line


def run(said, args):
    began = time.time()
    dtype = getattr(torch, said["dtype"])
    bare = skeleton(said, dtype)
    weights = random_weights(bare, dtype, "cpu" if args.on_cpu else "cuda:0")
    held = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    print(json.dumps({"model": said["name"], "weightsS": time.time() - began, "bytes": held, "planned bytes": said["loadedBytes"]}), flush=True)
    with_types = dressed(said, dtype, weights)
    maps = {**said["maps"], "auto": dict(_get_device_map(with_types, "auto", {0: said["budgetBytes"], "cpu": 10**15}, None))}
    homes = [{name: home_of(each, name) for name in weights} for each in (maps["auto"], said["maps"]["auto-as-planned"])]
    same = homes[0] == homes[1]
    print(json.dumps({"model": said["name"], "auto's map is the planner's": same, **({} if same else {"auto": maps["auto"]})}), flush=True)
    del bare, with_types
    arms, rows = args.arms.split(","), []
    for number in range(args.rounds):
        if number > 0 and (time.time() - began > args.seconds or time.time() - STARTED > args.total):
            break
        for arm in arms if number % 2 == 0 else arms[::-1]:
            row = turn(said, dtype, weights, arm, maps[arm.removesuffix(":locked")], args, number == 0)
            rows.append(row)
            print(json.dumps({**row, "atS": round(time.time() - STARTED, 1)}), flush=True)
    print(json.dumps(medians(said, arms, rows)), flush=True)


def main():
    given = argparse.ArgumentParser()
    given.add_argument("folder")
    given.add_argument("names", nargs="*")
    given.add_argument("--arms", default="ours,auto")
    given.add_argument("--rounds", type=int, default=2)
    given.add_argument("--tokens", type=int)
    given.add_argument("--seconds", type=float, default=45)
    given.add_argument("--total", type=float, default=190)
    given.add_argument("--on-cpu", action="store_true")
    args = given.parse_args()
    card = "none" if args.on_cpu else torch.cuda.get_device_name(0)
    print(json.dumps({"card": card, "torch": torch.__version__, "transformers": transformers.__version__, "accelerate": accelerate.__version__, "threads": torch.get_num_threads()}), flush=True)
    for name in args.names or sorted(each[:-5] for each in os.listdir(args.folder) if each.endswith(".json")):
        if time.time() - STARTED > args.total:
            print(json.dumps({"model": name, "not run": "out of time"}), flush=True)
            continue
        with open(f"{args.folder}/{name}.json") as file:
            said = json.load(file)
        try:
            run(said, args)
        except Exception as error:
            print(json.dumps({"model": name, "failed": f"{type(error).__name__}: {str(error)[:400]}"}), flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
