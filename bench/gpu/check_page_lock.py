"""Holds page_lock to what it says, without a card: tiny models that accelerate dispatches, with the CPU in the place of the card.

  python bench/gpu/check_page_lock.py        # torch, transformers, accelerate; 10 s

What CUDA would register is kept in a list. It has to be the pages of what the map leaves on "cpu", tied weights once, no page twice; outputs
have to stay as they are, and nothing may be left when the model is gone.
"""

import gc
import mmap
import tempfile

import torch
from accelerate import cpu_offload, dispatch_model
from accelerate.hooks import ModelHook, add_hook_to_module
from page_lock import page_lock
from transformers import OPTConfig, OPTForCausalLM, T5Config, T5ForConditionalGeneration

HOST = torch.device("cpu")
REGISTERED = {}


class Cudart:
    limit = 10**12

    @staticmethod
    def cudaHostRegister(start, size, flags):  # noqa: N802
        assert flags == 1 and size > 0 and start % mmap.PAGESIZE == 0 and size % mmap.PAGESIZE == 0
        assert all(start + size <= other or other + its <= start for other, its in REGISTERED.items())
        if sum(REGISTERED.values()) + size > Cudart.limit:
            return 2
        REGISTERED[start] = size
        return 0

    @staticmethod
    def cudaHostUnregister(start):  # noqa: N802
        del REGISTERED[start]
        return 0


torch.cuda.cudart = lambda: Cudart
IDS = torch.arange(3, 12)[None]


def opt():
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "ffn_dim": 100, "num_hidden_layers": 4, "num_attention_heads": 4, "word_embed_proj_dim": 64}
    return OPTForCausalLM(OPTConfig(vocab_size=300, max_position_embeddings=40, **sizes)).eval()


def t5():
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 50, "num_layers": 3, "num_heads": 4}
    return T5ForConditionalGeneration(T5Config(vocab_size=200, decoder_start_token_id=0, **sizes)).bfloat16().eval()


def pages_on_cpu(model, device_map):
    """Of what the map leaves on "cpu", by storage, each in pages of its own."""
    sizes = {}
    for name, tensor in model.state_dict().items():
        while name not in device_map:
            name = name.rpartition(".")[0]
        if device_map[name] == "cpu":
            sizes[tensor.data_ptr()] = -(-tensor.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    return sum(sizes.values())


def check(what, make, device_map, inputs):
    model = make()
    expected, before = pages_on_cpu(model, device_map), model(**inputs).logits
    homes = {name: HOST if home == 0 else home for name, home in device_map.items()}
    with tempfile.TemporaryDirectory() as folder:
        dispatch_model(model, device_map=homes, main_device=HOST, offload_dir=folder)
        for module in list(model.modules())[1::3]:
            # Hooks upon hooks, as in a SequentialHook of one.
            add_hook_to_module(module, ModelHook(), append=True)
            add_hook_to_module(module, ModelHook(), append=True)
        assert page_lock(model) == expected == sum(REGISTERED.values()), (what, expected, REGISTERED)
        assert all(torch.equal(model(**inputs).logits, before) for _ in range(2)), what
    del model, module
    gc.collect()
    assert not REGISTERED, what
    print(what, expected)


DECODER = "model.decoder."
ON_CARD = {DECODER + "embed_positions": 0, DECODER + "final_layer_norm": 0}
TABLES = {DECODER + "embed_tokens": 0, "lm_head": 0}
LAYER = {"self_attn": 0, "self_attn_layer_norm": 0, "fc1": "cpu", "fc2": "cpu", "final_layer_norm": 0}
CUT = {f"{DECODER}layers.{i}.{part}": home for i in range(4) for part, home in LAYER.items()}
TEXT = {"input_ids": IDS}
check("parts of layers", opt, {**ON_CARD, **TABLES, **CUT}, TEXT)
check("tied tables", opt, {**ON_CARD, **dict.fromkeys(TABLES, "cpu"), DECODER + "layers": 0}, TEXT)
check("beside the disk", opt, {**ON_CARD, **TABLES, **{f"{DECODER}layers.{i}": home for i, home in enumerate(["cpu", "disk", 0, "cpu"])}}, TEXT)
check("nothing on the host", opt, {**ON_CARD, **TABLES, DECODER + "layers.0": "disk", **{f"{DECODER}layers.{i}": 0 for i in (1, 2, 3)}}, TEXT)
PARTS = {"encoder.block": "cpu", "encoder.final_layer_norm": "cpu", "decoder.block.0": 0, "decoder.block.1": "cpu", "decoder.block.2": 0}
STACKS = {"shared": 0, "lm_head": 0, "encoder.embed_tokens": 0, "decoder.embed_tokens": 0, **PARTS, "decoder.final_layer_norm": 0}
check("bfloat16", t5, STACKS, {**TEXT, "decoder_input_ids": IDS[:, :3]})

model = opt()
before, whole = model(**TEXT).logits, pages_on_cpu(model, {"": "cpu"})
cpu_offload(model, execution_device=HOST)
assert page_lock(model) == whole and torch.equal(model(**TEXT).logits, before)
del model
gc.collect()

Cudart.limit, model = 100_000, opt()
dispatch_model(model, device_map={**{key: HOST for key in {**ON_CARD, **TABLES}}, DECODER + "layers": "cpu"}, main_device=HOST)
try:
    page_lock(model)
    raise SystemExit("more was locked than there is")
except RuntimeError as error:
    print(error)
assert torch.equal(model(**TEXT).logits, before)
