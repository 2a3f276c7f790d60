#!/usr/bin/env bash
# tokenizers 0.23.3 calls an added token by what the normalizer makes of it: with LLaMA's normalizer (`Prepend` "▁") and a `tokenizer.json` that says
# `"normalized": true` of `<s>`, `id_to_token(1)` is "▁<s>". That is no special token's name, so `decode(..., skip_special_tokens=True)` keeps it: "<s>" stands in
# the text. `get_added_tokens_decoder()` and `encode` know the token by its own name all the while. Where the file says `"normalized": false` it is skipped.
# Seen with Python 3.11.7, tokenizers 0.23.3, on Linux x64, 2026-11-29. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3

cat >special.py <<'PY'
import json

from tokenizers import Tokenizer, models, normalizers

plain = Tokenizer(models.BPE({"<unk>": 0, "<s>": 1, "▁": 2, "a": 3}, [], unk_token="<unk>"))
plain.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
for normalized in (True, False):
    document = json.loads(plain.to_str())
    document["added_tokens"] = [
        dict(id=1, content="<s>", single_word=False, lstrip=False, rstrip=False, normalized=normalized, special=True)
    ]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    decoded = tokenizer.decode([1, 3, 1], skip_special_tokens=True)
    print(normalized, ascii(tokenizer.id_to_token(1)), ascii(decoded), tokenizer.encode("<s>a").ids, tokenizer.get_added_tokens_decoder()[1].content)
PY
venv/bin/python special.py | tee seen.txt
diff - seen.txt <<'TXT'
True '\u2581<s>' '\u2581<s> a \u2581<s>' [1, 3] <s>
False '<s>' 'a' [1, 2, 3] <s>
TXT
echo "as described"
