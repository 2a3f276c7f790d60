"""transformers + accelerate on GPU 0, placed as the caller says: the peer of caption.mjs. Prints one JSON line.

  python transformers_peer.py CHECKPOINT [--auto 6GiB | --map FILE] [--page-lock] [--tokens 20] [--rounds 3]
  python transformers_peer.py CHECKPOINT --judge LOGITS [LOGITS ...] [--judge-ids FILE]
  python transformers_peer.py --serve

Without --auto and --map everything is on the GPU. --judge compares logits of the prompt, as caption.mjs keeps them, and
those of float16 transformers with float32 transformers. --judge-ids does so with ids, {"row": [ids], ...}: at every step
the float32 logits, after the ids so far, say whether the next id is the likeliest. One that is not is a tie where it is
behind by no more than twice the largest error of transformers' own float16 logits at that step, and wrong otherwise.
--serve reads such command lines from stdin, one JSON array each, and runs each in a process of its own, forked after the
imports, before anything of CUDA has started.
"""
import argparse
import json
import os
import sys
import time

# Asking CUDA itself would start it, and it cannot be forked.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
STARTED = time.time()

import torch  # noqa: E402
from page_lock import page_lock  # noqa: E402
from transformers import Blip2ForConditionalGeneration  # noqa: E402

IMPORT_S = time.time() - STARTED


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
            given = json.load(file)
        return {"device_map": given.get("device_map", given)}
    return {"device_map": {"": 0}}


def run(args, began_run):
    began = time.time()
    model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=torch.float16, **placement(args)).eval()
    torch.cuda.synchronize()
    load_s = time.time() - began
    began = time.time()
    locked = page_lock(model) if args.page_lock else 0
    lock_s = time.time() - began
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
                first_s = IMPORT_S + time.time() - began_run
    counted = sorted(seconds[1:]) or seconds
    say(
        {
            "engine": "transformers",
            "place": args.auto and f"auto {args.auto}" or args.map or "full",
            "captionMs": round(1000 * counted[len(counted) // 2], 1),
            "allMs": [round(1000 * s, 1) for s in seconds],
            "loadMs": round(1000 * load_s),
            "lockedBytes": locked,
            "lockMs": round(1000 * lock_s),
            "importMs": round(1000 * IMPORT_S),
            "processToFirstCaptionMs": round(1000 * first_s),
            "torchPeakBytes": torch.cuda.max_memory_allocated(),
            "ids": answer[0].tolist()[-args.tokens :],
        }
    )


def judge(args):
    sequences = {}
    if args.judge_ids is not None:
        with open(args.judge_ids) as file:
            sequences = {name: ids for name, ids in json.load(file).items()}
    prompt, steps = {}, {}
    for dtype in (torch.float16, torch.float32):
        model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=dtype, device_map={"": 0}).eval()
        given = inputs(model.config, dtype)
        with torch.no_grad():
            prompt[dtype] = step_logits(model, given, [0])[0].double().cpu()
            steps[dtype] = {name: step_logits(model, given, ids).float().cpu() for name, ids in sequences.items()}
        del model
        torch.cuda.empty_cache()
    exact = prompt[torch.float32]
    error = lambda x: float((x - exact).norm() / exact.norm())  # noqa: E731
    theirs = error(prompt[torch.float16])
    for path in args.judge or []:
        with open(path, "rb") as file:
            ours = error(torch.frombuffer(bytearray(file.read()), dtype=torch.float32).double())
        judged = {"logits": path.rsplit(".", 2)[-2], "relativeError": ours, "ratio": ours / theirs}
        say({"engine": "judge", **judged, "transformersFloat16RelativeError": theirs})
    for name, ids in sequences.items():
        single, half = steps[torch.float32][name], steps[torch.float16][name]
        behind = single.max(-1).values - single[torch.arange(len(ids)), torch.tensor(ids)]
        limit = 2 * (single - half).abs().max(-1).values
        counts = {"likeliest": int((behind == 0).sum()), "ties": int(((behind > 0) & (behind <= limit)).sum())}
        wrong = [step for step in range(len(ids)) if behind[step] > limit[step]]
        margins = single.topk(2).values
        margin = float(((margins[:, 0] - margins[:, 1]) / limit).min())
        say({"engine": "judge", "ids": name, **counts, "wrongSteps": wrong, "smallestMarginOverTie": round(margin, 2)})


def step_logits(model, given, ids):
    """Logits before each id, after those in front of it."""
    ids = torch.tensor([ids], device=0)
    if model.config.text_config.model_type == "t5":
        start = torch.full_like(ids[:, :1], model.config.text_config.decoder_start_token_id)
        return model(**given, decoder_input_ids=torch.cat([start, ids[:, :-1]], 1)).logits[0]
    read = torch.cat([given["input_ids"], ids[:, :-1]], 1)
    logits = model(**{**given, "input_ids": read, "attention_mask": torch.ones_like(read)}).logits[0]
    return logits[-ids.shape[1] :]


def say(figures):
    print(json.dumps(figures), flush=True)


def serve():
    say({"ready": round(1000 * IMPORT_S)})
    for line in sys.stdin:
        began = time.time()
        child = os.fork()
        if child == 0:
            os.close(0)
            code = 1
            try:
                perform(parse(json.loads(line)), began)
                code = 0
            except BaseException as error:  # noqa: BLE001
                print(repr(error)[:900], file=sys.stderr, flush=True)
            os._exit(code)
        say({"child": child})
        _, status = os.waitpid(child, 0)
        say({"ended": os.waitstatus_to_exitcode(status)})


def parse(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--auto")
    parser.add_argument("--map")
    parser.add_argument("--page-lock", action="store_true")
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judge", nargs="+")
    parser.add_argument("--judge-ids")
    return parser.parse_args(words)


def perform(args, began):
    if args.judge is None and args.judge_ids is None:
        run(args, began)
    else:
        judge(args)


if sys.argv[1:] == ["--serve"]:
    serve()
else:
    perform(parse(sys.argv[1:]), time.time())
