"""transformers + accelerate on GPU 0, placed as the caller says: the peer of caption.mjs. Prints one JSON line.

  python transformers_peer.py CHECKPOINT [--auto 6GiB | --map FILE] [--tokens 20] [--rounds 3]
  python transformers_peer.py CHECKPOINT --judge LOGITS [LOGITS ...]

Without --auto and --map everything is on the GPU. --judge compares logits of the prompt, as caption.mjs keeps them, and
those of float16 transformers with float32 transformers.
"""
import argparse
import json
import time

STARTED = time.time()

import torch  # noqa: E402
from transformers import Blip2ForConditionalGeneration  # noqa: E402


def inputs(config, dtype):
    size = config.vision_config.image_size
    ramp = torch.arange(3 * size * size, dtype=torch.float32).reshape(1, 3, size, size)
    pixels = ((ramp % 251) / 125.5 - 1).to(0, dtype)
    bos = config.text_config.bos_token_id
    ids = torch.tensor([[config.image_token_index] * config.num_query_tokens + [1 if bos is None else bos]], device=0)
    return {"pixel_values": pixels, "input_ids": ids, "attention_mask": torch.ones_like(ids)}


def placement(args):
    if args.auto is not None:
        return {"device_map": "auto", "max_memory": {0: args.auto, "cpu": "200GiB"}}
    if args.map is not None:
        with open(args.map) as file:
            return {"device_map": json.load(file)}
    return {"device_map": {"": 0}}


def run(args):
    began = time.time()
    model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=torch.float16, **placement(args)).eval()
    torch.cuda.synchronize()
    load_s = time.time() - began
    given = inputs(model.config, torch.float16)
    seconds, answer = [], None
    with torch.no_grad():
        for _ in range(args.rounds + 1):
            torch.cuda.synchronize()
            began = time.time()
            answer = model.generate(**given, max_new_tokens=args.tokens, min_new_tokens=args.tokens, do_sample=False)
            torch.cuda.synchronize()
            seconds.append(time.time() - began)
            if len(seconds) == 1:
                first_s = time.time() - STARTED
    counted = sorted(seconds[1:]) or seconds
    print(
        json.dumps(
            {
                "engine": "transformers",
                "place": args.auto and f"auto {args.auto}" or args.map or "full",
                "captionMs": round(1000 * counted[len(counted) // 2], 1),
                "allMs": [round(1000 * s, 1) for s in seconds],
                "loadMs": round(1000 * load_s),
                "processToFirstCaptionMs": round(1000 * first_s),
                "torchPeakBytes": torch.cuda.max_memory_allocated(),
                "ids": answer[0].tolist()[-args.tokens :],
            }
        )
    )


def judge(args):
    logits = {}
    for dtype in (torch.float16, torch.float32):
        model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=dtype, device_map={"": 0}).eval()
        with torch.no_grad():
            logits[dtype] = model(**inputs(model.config, dtype)).logits[0, -1].double().cpu()
        del model
        torch.cuda.empty_cache()
    exact = logits[torch.float32]
    error = lambda x: float((x - exact).norm() / exact.norm())  # noqa: E731
    theirs = error(logits[torch.float16])
    for path in args.judge:
        with open(path, "rb") as file:
            ours = error(torch.frombuffer(bytearray(file.read()), dtype=torch.float32).double())
        judged = {"logits": path.rsplit(".", 2)[-2], "relativeError": ours, "ratio": ours / theirs}
        print(json.dumps({"engine": "judge", **judged, "transformersFloat16RelativeError": theirs}))


parser = argparse.ArgumentParser()
parser.add_argument("checkpoint")
parser.add_argument("--auto")
parser.add_argument("--map")
parser.add_argument("--tokens", type=int, default=20)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--judge", nargs="+")
arguments = parser.parse_args()
if arguments.judge is None:
    run(arguments)
else:
    judge(arguments)
