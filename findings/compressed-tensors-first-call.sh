#!/usr/bin/env bash
# transformers 5.24.0 with compressed-tensors 0.20.1 loads a checkpoint of compressed-tensors as it is stored; its first call then makes
# floats of 16 bits of all weights, two to four times as many bytes. Under a device map of several devices that first call fails:
# decompressing takes the hooks off the modules, in the middle of the call that one of them began. With
# `quantization_config=CompressedTensorsConfig(dequantize=True)` weights are floats from the start, and such maps work.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0, on a CPU.
#
# Prints the bytes of a tiny Llama in 4-bit integers before and after its first call, what a map with a layer on disk comes
# to, and the same with `dequantize`; fails where any of it is otherwise.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config, preset_name_to_scheme
from transformers import AutoModelForCausalLM, CompressedTensorsConfig, LlamaConfig

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.manual_seed(0)
config = LlamaConfig(hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, vocab_size=128)
model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
groups = {"group_0": preset_name_to_scheme("W4A16", ["Linear"])}
described = QuantizationConfig(config_groups=groups, ignore=["lm_head"], format="pack-quantized", quantization_status="frozen")
apply_quantization_config(model, described)
for module in model.modules():
    if hasattr(module, "weight_scale"):
        module.weight_scale.data = torch.full_like(module.weight_scale, 0.01)
compressor = ModelCompressor.from_pretrained_model(model, quantization_format="pack-quantized")
compressor.compress_model(model)
model.save_pretrained("stored")
compressor.update_config("stored")

ids = torch.arange(5)[None]
size = lambda model: sum(each.numel() * each.element_size() for each in model.parameters())
model = AutoModelForCausalLM.from_pretrained("stored", device_map={"": "cpu"})
before = size(model)
with torch.no_grad():
    right = model(input_ids=ids).logits
after = size(model)
print(f"bytes loaded: {before}, after the first call: {after}")

device_map = {"model.embed_tokens": "cpu", "model.layers.0": "disk", "model.layers.1": "cpu", "model.norm": "cpu", "lm_head": "cpu"}
spread = dict(device_map=device_map, offload_folder="offload")
try:
    with torch.no_grad():
        AutoModelForCausalLM.from_pretrained("stored", **spread)(input_ids=ids)
    failure = None
except Exception as error:
    failure = f"{type(error).__name__}: {error}"
print(f"a map with a layer on disk: {failure}")

dense = AutoModelForCausalLM.from_pretrained("stored", **spread, quantization_config=CompressedTensorsConfig(dequantize=True))
with torch.no_grad():
    equal = torch.allclose(dense(input_ids=ids).logits, right)
print(f"the same with dequantize: {'the same logits' if equal else 'other logits'}")
raise SystemExit(not (after > 1.8 * before and failure is not None and "_hf_hook" in failure and equal))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 compressed-tensors==0.20.1 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
