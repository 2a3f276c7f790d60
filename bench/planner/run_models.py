"""Maps executed: tiny random models of many families, ours and transformers' own answer, outputs and bytes copied for a token.

  python bench/planner/run_models.py WORKDIR [FAMILY ...] > runs.jsonl

A tiny checkpoint under the names that published files have, and a sparse copy of it with every dimension from 32 up multiplied by 32, for which
blip2-plan answers at 25, 50 and 75 % (a host of 2 GB/s, so that there is a reason to use the GPU), and --strategy balanced says what
transformers would. Both maps run on the tiny model, 0 -> "cpu" and "cpu" -> "disk": the same hooks as with a GPU. Outputs must equal those
without a map; the bytes that hooks copy for one more token are counted, at the size of the copy. "over" is by how much weights on the GPU, the
largest copy and the workspace that torch gives cuBLAS exceed the budget; where transformers' own map does, it is asked again with less until it
does not, and ours is asked where it is given as much as theirs takes by the planner's count. Needs torch, transformers, accelerate.
"""

import json
import logging
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import torch
import transformers as T
from accelerate.hooks import AlignDevicesHook, named_module_tensors
from safetensors.torch import save_file
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from published import published

T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
logging.disable(logging.CRITICAL)
torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
SCALE = 32
# What torch sets aside for cuBLAS on cards older than Hopper (:4096:2:16:8).
CUBLAS_BYTES = 2 * 4096 * 1024 + 8 * 16 * 1024
TEXT = dict(
    hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, vocab_size=512, head_dim=16,
    max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)
MOE = dict(moe_intermediate_size=32, num_experts=8, num_local_experts=8, num_experts_per_tok=2)
FAMILIES = {
    **{name: {} for name in "llama mistral qwen2 qwen3 gemma gemma2 gemma3_text phi phi3 starcoder2 stablelm olmo olmo2 olmo3 cohere cohere2 granite helium glm glm4 smollm3 exaone4 ernie4_5 seed_oss arcee apertus diffllama bitnet hunyuan_v1_dense nemotron persimmon gpt_neox opt bloom falcon gpt2 gptj gpt_bigcode codegen mpt biogpt xglm mamba mamba2 rwkv".split()},
    **{name: MOE for name in "mixtral qwen2_moe qwen3_moe olmoe phimoe granitemoe gpt_oss glm4_moe ernie4_5_moe".split()},
    "t5": dict(d_model=64, d_kv=16, d_ff=128, num_layers=3, num_decoder_layers=3, num_heads=4, decoder_start_token_id=0),
    "mt5": dict(d_model=64, d_kv=16, d_ff=128, num_layers=3, num_decoder_layers=3, num_heads=4, decoder_start_token_id=0),
    "bart": dict(d_model=64, encoder_layers=3, decoder_layers=3, encoder_ffn_dim=128, decoder_ffn_dim=128, encoder_attention_heads=4, decoder_attention_heads=4, decoder_start_token_id=2),
    "pegasus": dict(d_model=64, encoder_layers=3, decoder_layers=3, encoder_ffn_dim=128, decoder_ffn_dim=128, encoder_attention_heads=4, decoder_attention_heads=4, decoder_start_token_id=0),
    "whisper": dict(d_model=64, encoder_layers=3, decoder_layers=3, encoder_ffn_dim=128, decoder_ffn_dim=128, encoder_attention_heads=4, decoder_attention_heads=4, max_source_positions=64, max_target_positions=64, decoder_start_token_id=1),
    "bert": {}, "roberta": {}, "distilbert": dict(dim=64, hidden_dim=128, n_layers=3, n_heads=4), "electra": {}, "modernbert": {},
}
RENAMED = dict(n_embd=64, n_layer=4, n_head=4, n_positions=128, n_inner=128, ffn_dim=128, word_embed_proj_dim=64, d_model=64, n_heads=4, n_layers=4, rotary_dim=8, num_layers=4, expansion_ratio=2, state_size=8, num_heads=4, n_groups=1, new_decoder_architecture=False, activation_function="relu", attention_heads=4)


def configure(name):
    kind = CONFIG_MAPPING[name]
    own = FAMILIES[name]
    given = {**TEXT, **({} if {"d_model", "dim"} & set(own) else RENAMED), **own}
    known = set(kind().to_dict()) | set(getattr(kind, "attribute_map", {}))
    if name == "mamba2":
        given.update(num_heads=8, head_dim=16, expand=2)
    if name == "xglm":
        given.update(d_model=64)
    if name == "gpt_oss":
        given.update(rope_parameters=dict(rope_type="default", rope_theta=10000.0), sliding_window=16)
    return kind(**{key: value for key, value in given.items() if key in known})


AUTO = {"t5": "AutoModelForSeq2SeqLM", "mt5": "AutoModelForSeq2SeqLM", "bart": "AutoModelForSeq2SeqLM", "pegasus": "AutoModelForSeq2SeqLM", "whisper": "AutoModelForSpeechSeq2Seq"}
AUTO.update(dict.fromkeys(("bert", "roberta", "distilbert", "electra", "modernbert"), "AutoModelForMaskedLM"))


def grown(shape):
    return [side * SCALE if side >= 32 else side for side in shape]


def write_sparse(folder, tensors, config):
    """Header and holes: name -> shape, float16."""
    os.makedirs(folder, exist_ok=True)
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape) in tensors.items():
        size = {"F16": 2, "I64": 8}[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)
    with open(f"{folder}/config.json", "w") as file:
        json.dump({**config, "dtype": "float16"}, file)
    return offset


def make(name, work):
    torch.manual_seed(0)
    loader = getattr(T, AUTO.get(name, "AutoModelForCausalLM"))
    model = loader.from_config(configure(name), dtype=torch.float32).eval()
    with torch.no_grad():
        for key, tensor in model.named_parameters():
            if tensor.dim() >= 2:
                tensor.normal_(0, 0.08)
    model.config.architectures = [type(model).__name__]
    small, large = f"{work}/{name}/small", f"{work}/{name}/large"
    state = {key: tensor.detach().clone().contiguous() for key, tensor in published(model).items()}
    os.makedirs(small, exist_ok=True)
    save_file(state, f"{small}/model.safetensors", metadata={"format": "pt"})
    model.config.save_pretrained(small)
    config = json.load(open(f"{small}/config.json"))
    kinds = {torch.float32: "F16", torch.int64: "I64"}
    total = write_sparse(large, {key: (kinds[tensor.dtype], grown(tensor.shape)) for key, tensor in state.items()}, config)
    return loader, model, small, large, total


def plan(folder, budget, *flags):
    command = ["node", f"{here}/../../dist/cli/blip2-plan.js", folder, "--vram", str(budget), "--profile", f"{here}/slow-host.json", "--engine", "transformers", "--prompt-tokens", "7", "--max-new-tokens", "2", *flags]
    ran = subprocess.run(command, capture_output=True, text=True)
    return json.loads(ran.stdout) if ran.returncode == 0 else ran.stderr[-200:]


def taken(folder, budget, *flags):
    """What a map takes of the GPU at most, weights, caches, activations, the largest copy and workspaces: by the planner's count."""
    answer = plan(folder, budget, *flags, "--json")
    device = next(each for each in answer["devices"] if each["id"] == 0)
    return device["budgetBytes"] - device["freeBytes"]


copied = None  # bytes of each copy; a module's tensors are on the GPU together
original = AlignDevicesHook.pre_forward


def counting(hook, module, *args, **kwargs):
    if copied is not None and hook.offload:
        tensors = named_module_tensors(module, include_buffers=hook.offload_buffers, recurse=hook.place_submodules, remove_non_persistent=True)
        copied.append(sum(2 * math.prod(grown(tensor.shape)) for _, tensor in tensors))
    return original(hook, module, *args, **kwargs)


AlignDevicesHook.pre_forward = counting
IDS = (torch.arange(7)[None] * 13) % 195 + 5


def whole(model):
    """All of the input."""
    if model.config.model_type == "whisper":
        sound = torch.randn(1, model.config.num_mel_bins, 128, generator=torch.Generator().manual_seed(1))
        return dict(input_features=sound, decoder_input_ids=IDS[:, :3])
    return dict(input_ids=IDS, decoder_input_ids=IDS[:, :3]) if model.config.is_encoder_decoder else dict(input_ids=IDS)


def step(model):
    """One token more, where the encoder has run."""
    if not model.config.is_encoder_decoder:
        return dict(input_ids=IDS[:, :1])
    encoded = torch.zeros(1, 7 if model.config.model_type != "whisper" else 64, 64)
    return dict(encoder_outputs=(encoded,), decoder_input_ids=IDS[:, :1])


def run(loader, small, device_map, work, right):
    global copied
    folder = tempfile.mkdtemp(dir=work)
    try:
        given = {key: "cpu" if home == 0 else "disk" for key, home in device_map.items()}
        if set(given.values()) == {"disk"}:
            return "not on the GPU", None, None
        model = loader.from_pretrained(small, dtype=torch.float32, device_map=given, offload_folder=folder).eval()
        with torch.no_grad():
            out = model(**whole(model)).logits
            copied = []
            model(**step(model))
            total, largest = sum(copied), max(copied, default=0)
        copied = None
        resident = {tensor.data_ptr(): 2 * math.prod(grown(tensor.shape)) for tensor in model.parameters() if tensor.device.type == "cpu"}
        needed = sum(resident.values()) + largest + CUBLAS_BYTES
        return ("equal" if torch.equal(out, right) else float((out - right).abs().max())), total, needed
    except Exception as error:
        copied = None
        return f"{type(error).__name__}: {str(error)[:120]}", None, None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


BALANCED = ("--strategy", "balanced")


def executed(loader, small, device_map, work, right, budget):
    if isinstance(device_map, str):
        return {"output": device_map, "bytes": None, "over": None}
    output, bytes_of, needed = run(loader, small, device_map, work, right)
    return {"output": output, "bytes": bytes_of, "over": None if needed is None else max(0, needed - budget)}


work, *names = sys.argv[1:]
for name in names or FAMILIES:
    try:
        loader, model, small, large, total = make(name, work)
        reference = loader.from_pretrained(small, dtype=torch.float32).eval()
        with torch.no_grad():
            right = reference(**whole(reference)).logits
    except Exception as error:
        print(json.dumps({"family": name, "built": f"{type(error).__name__}: {str(error)[:150]}"}), flush=True)
        continue
    for fraction in (0.25, 0.5, 0.75):
        budget = int(total * fraction)
        said = {"family": name, "budget": fraction, "weights": total}
        for who, flags in (("ours", ()), ("auto", BALANCED)):
            said[who] = executed(loader, small, plan(large, budget, *flags), work, right, budget)
        if said["ours"]["bytes"] is not None and said["auto"]["bytes"] is not None:
            # Ours, where it is given as much as theirs takes, and a thousandth for what makes the GPU the main one.
            given = max(budget, math.ceil(1.001 * taken(large, budget, *BALANCED)))
            said["ours, as much"] = said["ours"] if given == budget else {"given": given, **executed(loader, small, plan(large, given), work, right, given)}
        # What transformers answers where it is given as much less as it exceeds the budget by.
        held, given = said["auto"], budget
        while held["over"]:
            given -= held["over"]
            held = executed(loader, small, plan(large, given, *BALANCED), work, right, budget)
        if held is not said["auto"]:
            said["auto, within"] = {"given": given, **held}
        print(json.dumps(said), flush=True)
    shutil.rmtree(f"{work}/{name}", ignore_errors=True)
