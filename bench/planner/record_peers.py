"""Device maps that accelerate and transformers make for BLIP-2, on the meta device: no weights, no GPU.

  python record_peers.py > peers.json

Six model shapes x twelve budgets x (one GPU, two equal, two unequal), float16, host memory without limit. Per row the
map of transformers' device_map="auto" ("balanced" + the greedy pass) and of accelerate's own infer_auto_device_map.
"""
import json, sys, time, warnings, logging

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import accelerate, torch, transformers
from accelerate import infer_auto_device_map
from transformers import Blip2Config, Blip2ForConditionalGeneration
from transformers.integrations.accelerate import _get_device_map

OPT = dict(model_type="opt", hidden_size=2560, num_hidden_layers=32, num_attention_heads=32, ffn_dim=10240, word_embed_proj_dim=2560,
           vocab_size=50304, eos_token_id=50118)
T5 = dict(model_type="t5", d_model=2048, d_kv=64, d_ff=5120, num_layers=24, num_heads=32, vocab_size=32128, feed_forward_proj="gated-gelu",
          dense_act_fn="gelu", tie_word_embeddings=False, bos_token_id=1)
OPT_350M = dict(model_type="opt", hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, ffn_dim=4096, word_embed_proj_dim=512,
                vocab_size=50304, eos_token_id=50118, do_layer_norm_before=False)
SHAPES = {
    "opt-2.7b": dict(text_config=OPT, image_token_index=50265),
    "opt-2.7b-coco": dict(text_config=OPT, image_token_index=50265, vision_config=dict(image_size=364)),
    "opt-6.7b": dict(text_config={**OPT, "hidden_size": 4096, "ffn_dim": 16384, "word_embed_proj_dim": 4096}, image_token_index=50265),
    "flan-t5-xl": dict(text_config=T5, image_token_index=32100),
    "flan-t5-xxl": dict(text_config={**T5, "d_model": 4096, "d_ff": 10240, "num_heads": 64}, image_token_index=32100),
    "opt-350m": dict(text_config=OPT_350M, image_token_index=50265),
}
FRACTIONS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]
SPLITS = {"one": [1.0], "equal": [0.5, 0.5], "unequal": [0.7, 0.3]}
PLENTY = 10**12

rows = []
for name, config in SHAPES.items():
    with torch.device("meta"):
        model = Blip2ForConditionalGeneration(Blip2Config(**config)).to(torch.float16)
    total = sum(p.numel() * 2 for p in model.parameters())
    for split, parts in SPLITS.items():
        for fraction in FRACTIONS:
            gpus = [int(total * fraction * part) for part in parts]
            row = dict(shape=name, split=split, fraction=fraction, gpus=gpus)
            for peer in ("transformers", "accelerate"):
                memory = {**dict(enumerate(gpus)), "cpu": PLENTY}
                start = time.perf_counter()
                try:
                    if peer == "transformers":
                        found = _get_device_map(model, "auto", memory, None)
                    else:
                        found = infer_auto_device_map(model, max_memory=memory, no_split_module_classes=list(model._no_split_modules))
                    row[peer] = dict(found)
                except Exception as error:
                    row[peer] = dict(error=f"{type(error).__name__}: {error}")
                row[f"{peer}_ms"] = round(1000 * (time.perf_counter() - start), 1)
            rows.append(row)
    print(name, len(rows), file=sys.stderr)
json.dump(dict(accelerate=accelerate.__version__, transformers=transformers.__version__, shapes=SHAPES, rows=rows), sys.stdout)
