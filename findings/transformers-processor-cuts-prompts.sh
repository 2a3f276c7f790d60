#!/usr/bin/env bash
# A tokenizer of transformers 5.24.0 keeps the last call's padding and truncation, `save_pretrained` writes them into tokenizer.json, and the processor of BLIP-2
# that is loaded from there takes their length for `max_length`: it cuts every prompt to that, less the picture's places, without a word. So a processor that was saved
# after training with `padding="max_length"` asks other questions than were typed; `padding=True` does no harm.
# Seen with Python 3.11, tokenizers 0.23.3, on Linux x64, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 tokenizers==0.23.3 pillow==13.0.0 numpy==2.4.6

cat >cut.py <<'PY'
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import Blip2Processor, BlipImageProcessorPil, PreTrainedTokenizerFast

words = "<pad> a b c d e f g h".split()
raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
raw.pre_tokenizer = pre_tokenizers.Whitespace()
processor = Blip2Processor(BlipImageProcessorPil(), PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>"), num_query_tokens=2)
for call in ({}, {"padding": True}, {"padding": "max_length", "max_length": 6}, {"truncation": True, "max_length": 5}):
    processor.tokenizer(["a b"], **call)
    processor.save_pretrained("saved")
    print(call, Blip2Processor.from_pretrained("saved")(text="a b c d e f g h")["input_ids"][0])
PY
TRANSFORMERS_VERBOSITY=error venv/bin/python cut.py | tee seen.txt
diff - seen.txt <<'TXT'
{} [1, 2, 3, 4, 5, 6, 7, 8]
{'padding': True} [1, 2, 3, 4, 5, 6, 7, 8]
{'padding': 'max_length', 'max_length': 6} [1, 2, 3, 4]
{'truncation': True, 'max_length': 5} [1, 2, 3]
TXT
echo "as described"
