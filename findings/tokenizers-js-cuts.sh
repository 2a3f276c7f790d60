#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) takes every `tokenizer.json` that cuts a text by `Split`, `Digits` or `Punctuation`, and cuts
# otherwise than tokenizers 0.23.3 (Rust), without a word: of the five ways of `Split` it has "Removed" and "Isolated", and does the other
# three as "Isolated"; marks of punctuation stay together where the file asks for each alone; a digit is none but those of \d, so that
# "½" stays in its word. And of a BPE without "unk_token" Rust leaves out what is unknown before it merges, JavaScript after: "aéb" is the
# token "ab" there, and "a", "b" here.
# Seen with Node 20.20.2 and Python 3.11.7, on Linux x64, 2026-12-01. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @huggingface/tokenizers@0.2.0 >/dev/null

cat >rust.py <<'PY'
import json

from tokenizers import Regex, Tokenizer, models, pre_tokenizers as cut

steps = [cut.Split(Regex("-"), way) for way in ("contiguous", "merged_with_previous", "merged_with_next")]
for number, step in enumerate([*steps, cut.Punctuation("isolated"), cut.Digits(individual_digits=True)]):
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]))
    tokenizer.pre_tokenizer = step
    tokenizer.save(f"{number}.json")
    print(json.dumps([piece for piece, _ in step.pre_tokenize_str("a--b½c1")]), tokenizer.encode("aéb").tokens)
PY
cat >javascript.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
for (let number = 0; number < 5; number++) {
  const tokenizer = new Tokenizer(JSON.parse(readFileSync(`${number}.json`, 'utf8')), {});
  const pieces = JSON.stringify(tokenizer.pre_tokenizer.pre_tokenize('a--b½c1'), null, 1).replace(/\n */g, ' ');
  console.log(pieces.replaceAll('½', '\\u00bd').replace('[ ', '[').replace(' ]', ']'), JSON.stringify(tokenizer.encode('aéb').tokens));
}
JS
venv/bin/python rust.py | tee rust.txt
node javascript.mjs | tee javascript.txt
diff - rust.txt <<'TXT'
["a", "--", "b\u00bdc1"] ['ab']
["a-", "-", "b\u00bdc1"] ['ab']
["a", "-", "-b\u00bdc1"] ['ab']
["a", "-", "-", "b\u00bdc1"] ['ab']
["a--b", "\u00bd", "c", "1"] ['ab']
TXT
diff - javascript.txt <<'TXT'
["a", "-", "-", "b\u00bdc1"] ["a","b"]
["a", "-", "-", "b\u00bdc1"] ["a","b"]
["a", "-", "-", "b\u00bdc1"] ["a","b"]
["a", "--", "b\u00bdc1"] ["a","b"]
["a--b\u00bdc", "1"] ["a","b"]
TXT
echo "as described"
