#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) does not read the charsmap of a SentencePiece model that `tokenizer.json` holds
# (`Precompiled`, T5's normalizer): it takes NFKC and a list of spaces in its place. tokenizers 0.23.3 (Rust) looks a whole grapheme up,
# so "\r\n" is one space for it and two in JavaScript, and a joined character keeps its joiner: other ids for the same prompt.
# A model that was trained with rules of its own (here: case folded) gets none of them. Tokens of single bytes differ as well: of a
# character that an answer ends within, Rust makes a replacement character for each byte of the run, JavaScript keeps what is whole.
# Seen with Node 20.20.2 and Python 3.11.7, sentencepiece 0.2.2, on Linux x64, 2026-11-29. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3 sentencepiece==0.2.2 protobuf
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @huggingface/tokenizers@0.2.0 >/dev/null

cat >rust.py <<'PY'
import json

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, normalizers

with open("corpus.txt", "w") as file:
    file.write("a cat on a table\ntwo dogs on the beach\n" * 20)
for rules in ("nmt_nfkc", "nmt_nfkc_cf"):
    sentencepiece.SentencePieceTrainer.train(
        input="corpus.txt", model_prefix=rules, vocab_size=19, normalization_rule_name=rules, minloglevel=2
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(open(f"{rules}.model", "rb").read())
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "<0xE7>": 1, "<0x8C>": 2, "<0xAB>": 3}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.save(f"{rules}.json")
    texts = ["a\r\nb", "a\u200db", "A Cat"]
    answers = [tokenizer.normalizer.normalize_str(text) for text in texts] + [tokenizer.decode([1, 2, 3, 1], skip_special_tokens=False)]
    print(json.dumps(answers))
PY
cat >javascript.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
for (const rules of ['nmt_nfkc', 'nmt_nfkc_cf']) {
  const tokenizer = new Tokenizer(JSON.parse(readFileSync(`${rules}.json`, 'utf8')), {});
  const answers = ['a\r\nb', 'a\u200db', 'A Cat'].map((text) => tokenizer.normalizer(text));
  answers.push(tokenizer.decoder.decode(['<0xE7>', '<0x8C>', '<0xAB>', '<0xE7>']));
  console.log(JSON.stringify(answers).replace(/[^ -~]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
JS
venv/bin/python rust.py 2>/dev/null | tee rust.txt
node javascript.mjs | tee javascript.txt
diff - rust.txt <<'TXT'
["a b", "a\u200db", "A Cat", "\ufffd\ufffd\ufffd\ufffd"]
["a b", "a\u200db", "a cat", "\ufffd\ufffd\ufffd\ufffd"]
TXT
diff - javascript.txt <<'TXT'
["a  b","a b","A Cat","\u732b\ufffd"]
["a  b","a b","A Cat","\u732b\ufffd"]
TXT
echo "as described"
