"""How far ids of `ids.mjs` are from the likeliest by transformers' float32 logits, after the ids before them.

  python ids_peer.py CHECKPOINT IDS.json [IDS.json ...]    one JSON line a file; distances in standard deviations of a row's logits
"""
import json
import sys

import torch
from transformers import AutoConfig, Blip2ForConditionalGeneration, InstructBlipForConditionalGeneration

checkpoint, *files = sys.argv[1:]
is_instructed = AutoConfig.from_pretrained(checkpoint).model_type == "instructblip"
Model = InstructBlipForConditionalGeneration if is_instructed else Blip2ForConditionalGeneration
model = Model.from_pretrained(checkpoint, dtype=torch.float32, device_map={"": 0}).eval()
config = model.config
is_t5 = config.text_config.model_type == "t5"
side = config.vision_config.image_size
mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711])
places = torch.arange(3 * side * side)
# What is asked of make-checkpoint.mjs's models, whose tokenizer knows no words: "A short image description:", or nothing.
text = [3] * 5 if is_instructed else [config.text_config.bos_token_id or 1]
TOGETHER = 8
TOKENS = 20


def pixels(number):
    values = (places * (number + 1) % 251).view(side, side, 3) / 255
    return ((values - mean) / deviation).permute(2, 0, 1)


def logits_after(ids, first):
    prompt = torch.tensor([[config.image_token_index] * config.num_query_tokens + text] * len(ids), device=0)
    given = {"pixel_values": torch.stack([pixels(first + row) for row in range(len(ids))]).float().to(0)}
    if is_instructed:
        words = torch.tensor([text] * len(ids), device=0)
        given.update(qformer_input_ids=words, qformer_attention_mask=torch.ones_like(words))
    if is_t5:
        start = torch.full((len(ids), 1), config.text_config.decoder_start_token_id or 0, device=0)
        given["decoder_input_ids"] = torch.cat([start, ids[:, :-1]], 1)
    else:
        prompt = torch.cat([prompt, ids[:, :-1]], 1)
    with torch.inference_mode():
        made = model(input_ids=prompt, attention_mask=torch.ones_like(prompt), **given).logits
    return made[:, -TOKENS:]


for file in files:
    with open(file) as opened:
        rows = json.load(opened)
    gaps = []
    for first in range(0, len(rows), TOGETHER):
        some = rows[first : first + TOGETHER]
        ids = torch.tensor([row + [0] * (TOKENS - len(row)) for row in some], device=0)
        logits = logits_after(ids, first)
        own = logits.gather(-1, ids[..., None])[..., 0]
        apart = (logits.max(-1).values - own) / logits.std(-1)
        gaps += [gap for row, ended in zip(apart.tolist(), some) for gap in row[: len(ended)]]
    gaps.sort()
    print(json.dumps({"file": file, "tokens": len(gaps), "likeliest": gaps.count(0), "largest": gaps[-3:]}), flush=True)
