#!/usr/bin/env bash
# transformers 5.24.0 and accelerate 1.15.0: a device map that gives every weight a device may still leave buffers behind. A buffer that no file
# holds, of a module that holds nothing else, is covered by no key, and goes to "cpu" without a word: `check_device_map` looks at what
# `state_dict` has, and accelerate gives no hook to a module without state. The sinusoidal positions of M2M-100 and NLLB are such: the forward indexes them
# where they are and adds them to what is on the card, which fails there. On a CPU, also with "cpu" for the card and "disk" for the host,
# the same map runs. Maps that transformers makes itself have keys for such modules; with one device in the map accelerate moves the whole model.
# Seen on Linux x64 with Python 3.11 and torch 2.15.0, without a card: torch's fake tensors have devices and no values.
#
# Asks where the positions of a tiny M2M-100 go, and runs it as they lie; fails where they are not left on the CPU, where it runs so, or where it does not with keys for them.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from accelerate.utils import check_device_map
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import M2M100Config, M2M100ForConditionalGeneration
from transformers.integrations.accelerate import get_device

transformers.logging.set_verbosity_error()
config = M2M100Config(
    d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, vocab_size=512,
    max_position_embeddings=64,
)
with torch.device("meta"):
    model = M2M100ForConditionalGeneration(config)
# Every module that holds weights: on the card, but for a layer that waits in host memory and is brought there.
holding = [name for name, module in model.named_modules() if any(True for _ in module.parameters(recurse=False))]
weights = {name: "cpu" if name.startswith("model.encoder.layers.0.") else 0 for name in holding}
check_device_map(model, dict(weights))
positions = [name for name, _ in model.named_non_persistent_buffers()]
homes = {name: get_device(weights, name, valid_torch_device=True) for name in positions}
print(f"check_device_map takes the map; buffers of no file go to {homes}")


def run(device_map):
    """The forward, with weights on the card, where all of them run, and buffers where transformers puts them: tensors with devices and no values."""
    with FakeTensorMode():
        model = M2M100ForConditionalGeneration(config).eval()
        for path, module in model.named_modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = torch.nn.Parameter(parameter.to("cuda:0"), requires_grad=False)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    home = get_device(device_map, f"{path}.{name}", valid_torch_device=True)
                    module._buffers[name] = buffer.to("cuda:0" if home == 0 else home)
        ids = torch.ones(1, 8, dtype=torch.long, device="cuda:0")
        with torch.no_grad():
            model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=ids[:, :2])


try:
    run(weights)
    failure = None
except Exception as error:
    failure = str(error).split("\n")[0]
print(f"on a card: {failure}")
run({**weights, "model.encoder.embed_positions": 0, "model.decoder.embed_positions": 0})
print("with keys for the two modules that hold nothing but these buffers it runs")
raise SystemExit(not (set(homes.values()) == {"cpu"} and failure is not None and "cuda:0" in failure and "cpu" in failure))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
