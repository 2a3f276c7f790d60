"""transformers on a whole GPU: pictures a second by batch for ways of generating, pixels ready: the peer of stream.mjs --generation.

  python bench/bulk/generation_peer.py CHECKPOINT BATCHES OPTIONS [OPTIONS ...]    OPTIONS: JSON for generate(); one JSON line a batch
"""
import json
import sys
import time

import torch
from transformers import Blip2ForConditionalGeneration

checkpoint, batches, *ways = sys.argv[1:]
model = Blip2ForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float16, device_map={"": 0}).eval()
config = model.config
size = config.vision_config.image_size


def given(batch):
    prompt = [config.image_token_index] * config.num_query_tokens + [config.text_config.bos_token_id or 1]
    ids = torch.tensor([prompt] * batch, device=0)
    pixels = torch.rand(batch, 3, size, size, device=0, dtype=torch.float16) * 2 - 1
    return {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


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
