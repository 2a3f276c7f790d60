#!/usr/bin/env bash
# transformers 5.24.0: Idefics3Model.forward (GraniteDoclingModel.forward alike) sends the embedded text to `self.device`, which is where the
# model's first parameter is. With a device map that gives the vision tower's patch embedding to the disk (or, beside a GPU, to "cpu"),
# accelerate keeps that parameter on the meta device between calls, so that the text goes there: every call fails, with pictures and without,
# though models that ask their inputs for the device (SmolVLM, Idefics2) do not mind.
# TimmWrapperModel.forward sends its pixels to `self.device` in the same way.
# Seen on Linux x64 with Python 3.11, torch 2.15.0 and accelerate 1.15.0, on a CPU.
#
# Executes a tiny Idefics3 whole and with its patch embedding on the disk; fails where the latter runs.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import torch
import transformers
from transformers import Idefics3Config, Idefics3ForConditionalGeneration

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
text = dict(
    model_type="llama", hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, vocab_size=320,
    pad_token_id=0, bos_token_id=1, eos_token_id=2,
)
vision = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14)
config = Idefics3Config(text_config=text, vision_config=vision, image_token_id=300, scale_factor=2, pad_token_id=0)
Idefics3ForConditionalGeneration(config).save_pretrained("tiny")
EMBEDDING = "model.vision_model.embeddings.patch_embedding"


def answer(homes):
    model = Idefics3ForConditionalGeneration.from_pretrained("tiny", device_map=homes, offload_folder="offload").eval()
    try:
        with torch.no_grad():
            model(input_ids=torch.arange(3, 10)[None])
        return f"runs; its device is {model.device}"
    except NotImplementedError as error:
        return f"{error} Its device is {model.device}."


whole = {
    "model.vision_model.embeddings.position_embedding": "cpu", "model.vision_model.encoder": "cpu", "model.vision_model.post_layernorm": "cpu",
    "model.connector": "cpu", "model.text_model": "cpu", "lm_head": "cpu",
}
answers = [answer({EMBEDDING: home, **whole}) for home in ("cpu", "disk")]
for where, said in zip(("in memory", "on the disk"), answers):
    print(f"patch embedding {where}: {said}")
raise SystemExit(not (answers[0].startswith("runs") and "meta" in answers[1]))
PY

python3 -m venv venv
venv/bin/pip install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.15.0
venv/bin/python look.py 2>/dev/null
echo "as described"
