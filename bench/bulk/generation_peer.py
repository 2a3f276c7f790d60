"""transformers on a whole GPU: pictures a second by batch for ways of generating, pixels ready: the peer of stream.mjs --generation.

  python bench/bulk/generation_peer.py CHECKPOINT BATCHES OPTIONS [OPTIONS ...]    OPTIONS: JSON for generate(); one JSON line a batch
"""
import json
import sys
import time

import torch
from transformers import AutoConfig, Blip2ForConditionalGeneration, InstructBlipForConditionalGeneration

checkpoint, batches, *ways = sys.argv[1:]
is_instructed = AutoConfig.from_pretrained(checkpoint).model_type == "instructblip"
Model = InstructBlipForConditionalGeneration if is_instructed else Blip2ForConditionalGeneration
# What "A short image description:" comes to.
INSTRUCTION = 5
model = Model.from_pretrained(checkpoint, dtype=torch.float16, device_map={"": 0}).eval()
config = model.config
size = config.vision_config.image_size


def given(batch):
    prompt = [config.image_token_index] * config.num_query_tokens + [config.text_config.bos_token_id or 1]
    asked = {}
    if is_instructed:
        prompt += [7] * INSTRUCTION
        words = torch.tensor([[7] * INSTRUCTION] * batch, device=0)
        asked = {"qformer_input_ids": words, "qformer_attention_mask": torch.ones_like(words)}
    ids = torch.tensor([prompt] * batch, device=0)
    pixels = torch.rand(batch, 3, size, size, device=0, dtype=torch.float16) * 2 - 1
    return {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids), **asked}


for way in map(json.loads, ways):
    for batch in map(int, batches.split(",")):
        seconds = []
        try:
            for _ in range(4):
                inputs = given(batch)
                torch.cuda.synchronize()
                began = time.time()
                with torch.inference_mode():
                    model.generate(**inputs, **{"max_new_tokens": 20, "do_sample": False, **way})
                torch.cuda.synchronize()
                seconds.append(time.time() - began)
        except torch.OutOfMemoryError as error:
            print(json.dumps({"options": way, "batch": batch, "failed": str(error)[:120]}), flush=True)
            continue
        median = sorted(seconds[1:])[1]
        print(json.dumps({"options": way, "batch": batch, "picturesPerSecond": round(batch / median, 1)}), flush=True)
