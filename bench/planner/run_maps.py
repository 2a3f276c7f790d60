"""Runs transformers with the maps of tiny-maps.mjs and compares the ids, greedy and of three beams, with those of the same
checkpoint on one device. Says how many modules are hooked in all and in what runs for every token.

  python run_maps.py maps.jsonl         # on GPU 0
  python run_maps.py maps.jsonl cpu     # without a GPU: the CPU in its place, and the disk in the CPU's
"""
import json, logging, sys, tempfile, warnings

warnings.filterwarnings("ignore")
import torch, transformers
from transformers import Blip2ForConditionalGeneration, InstructBlipForConditionalGeneration

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
logging.disable(logging.WARNING)
on_cpu = sys.argv[2:] == ["cpu"]
main = "cpu" if on_cpu else 0
spelled = (lambda device: "cpu" if device == 0 else "disk") if on_cpu else (lambda device: device)


def load(folder, device_map):
    kind = json.load(open(f"{folder}/config.json"))["model_type"]
    cls = InstructBlipForConditionalGeneration if kind == "instructblip" else Blip2ForConditionalGeneration
    with tempfile.TemporaryDirectory() as offload:
        model = cls.from_pretrained(folder, device_map=device_map, dtype=torch.float32, offload_folder=offload).eval()
        return model, answers(model)


def answers(model):
    config = model.config
    size = config.vision_config.image_size
    pixels = torch.linspace(-1, 1, 2 * 3 * size * size).reshape(2, 3, size, size)
    row = [config.image_token_index] * config.num_query_tokens + [2, 5, 7]
    ids = torch.tensor([row, row])
    given = {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if config.model_type == "instructblip":
        words = torch.tensor([[3, 4, 5], [3, 4, 5]])
        given |= {"qformer_input_ids": words, "qformer_attention_mask": torch.ones_like(words)}
    given = {name: value.to(main) for name, value in given.items()}
    length = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
    return [model.generate(**given, num_beams=beams, **length).tolist() for beams in (1, 3)]


wanted, counts, skipped = {}, {}, 0
for line in open(sys.argv[1]):
    row = json.loads(line)
    folder = row["folder"]
    if folder not in wanted:
        wanted[folder] = load(folder, {"": main})[1]
    try:
        model, got = load(folder, {key: spelled(device) for key, device in row["map"].items()})
    except NotImplementedError:
        # Two names of one table, both left on disk, cannot be compared (transformers 5.23).
        if not on_cpu:
            raise
        skipped += 1
        continue
    assert got == wanted[folder], (folder, row["map"])
    hooked = [name for name, module in model.named_modules() if hasattr(module, "_hf_hook")]
    counts.setdefault(folder, []).append((len(hooked), sum(name.startswith("language_model") for name in hooked)))
for folder, hooks in counts.items():
    print(f"{folder}: {len(hooks)} maps, ids equal; modules hooked, and of the language model: {hooks}")
print(f"{skipped} skipped")
