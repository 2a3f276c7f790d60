"""transformers on the CPU, for the same checkpoint and the same number of tokens: the peer of caption.mjs.

  python transformers_peer.py CHECKPOINT [--tokens 20] [--threads 2] [--repeat 3] [--dtype float32] [--batch 1]

Prints one JSON line: seconds of each greedy caption, or batch of them (the first is dropped from the median), and the ids.
With --batch, the pictures and prompts are those of batch.mjs.
"""
import argparse
import json
import resource
import time

import torch
from transformers import Blip2ForConditionalGeneration


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--batch", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    start = time.time()
    model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=getattr(torch, args.dtype)).eval()
    load_s = time.time() - start

    config = model.config
    size = config.vision_config.image_size
    # The bench feeds the same picture to both sides: a grey ramp that needs no random generator.
    ramp = torch.arange(3 * size * size, dtype=torch.float64).reshape(1, 3, size, size)
    factors = torch.arange(1, args.batch + 1, dtype=torch.float64).reshape(-1, 1, 1, 1)
    pixels = ((ramp * factors % 251) / 125.5 - 1).to(model.dtype)
    bos = config.text_config.bos_token_id
    prompts = [[1 if bos is None else bos] + [100 + 10 * row + i for i in range(row % 4)] for row in range(args.batch)]
    width = max(len(prompt) for prompt in prompts)
    image = [config.image_token_index] * config.num_query_tokens
    ids = torch.tensor([image + [1] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[1] * len(image) + [0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    seconds, answer = [], None
    with torch.no_grad():
        for _ in range(args.repeat + 1):
            start = time.time()
            answer = model.generate(
                pixel_values=pixels,
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=args.tokens,
                min_new_tokens=args.tokens,
                do_sample=False,
            )
            seconds.append(time.time() - start)
    counted = sorted(seconds[1:])
    print(
        json.dumps(
            {
                "loadSeconds": round(load_s, 2),
                "seconds": [round(s, 3) for s in seconds],
                "medianSeconds": round(counted[len(counted) // 2], 3),
                "ids": [row[-args.tokens :] for row in answer.tolist()],
                "picturesPerSecond": args.batch / counted[len(counted) // 2],
                "peakResidentBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
