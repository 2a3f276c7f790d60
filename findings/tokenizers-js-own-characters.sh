#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) has other rules for characters than tokenizers 0.23.3 (Rust), so prompts with them get other ids:
# - steps that cut texts take JavaScript's \s for white space, which has U+FEFF and lacks U+0085, though regular expressions of `tokenizer.json` are rewritten;
# - BERT's normalizer goes by 16-bit units, so that Han characters from U+20000 on are not set apart, and its small letters are JavaScript's, where a
#   sigma that ends a word becomes another letter;
# - `Metaspace` with `"split": true` leaves the text whole, so that Unigram adds up scores from its beginning on, and rounding settles ties otherwise;
# - Rust's BERT has Unicode's categories as they were in Unicode 8: U+1ABF, a mark since Unicode 13, is no accent that it strips; its third range of Han
#   characters begins at U+2B920, where BERT's own begins at U+2B820.
# Seen with Node 20.20.2 (Unicode 17) and Python 3.11.7, on Linux x64, 2026-11-29. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @huggingface/tokenizers@0.2.0 >/dev/null

cat >texts.json <<'JSON'
["a\ufeff\ufeffb", "a\u0085\u0085b", "\u039f\u0394\u039f\u03a3", "a\ud840\udc00b", "a\ud86e\udc20b", "a\u1abfb"]
JSON
cat >rust.py <<'PY'
import json

from tokenizers import normalizers, pre_tokenizers

bert = normalizers.BertNormalizer()
print(len(pre_tokenizers.Metaspace(split=True).pre_tokenize_str("a b")))
words, pieces = pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)
for text in json.load(open("texts.json")):
    cuts = [[token for token, _ in cutter.pre_tokenize_str(text)] for cutter in (words, pieces)]
    print(json.dumps([len(cuts[0]), len(cuts[1]), bert.normalize_str(text)], separators=(",", ":")))
PY
cat >javascript.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { BertNormalizer, ByteLevelPreTokenizer, MetaspacePreTokenizer, WhitespaceSplitPreTokenizer } from '@huggingface/tokenizers';
console.log(new MetaspacePreTokenizer({ prepend_scheme: 'always', split: true }).pre_tokenize('a b').length);
const bert = new BertNormalizer({ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true });
const [words, pieces] = [new WhitespaceSplitPreTokenizer(), new ByteLevelPreTokenizer({ add_prefix_space: false })];
for (const text of JSON.parse(readFileSync('texts.json', 'utf8'))) {
  const line = JSON.stringify([words.pre_tokenize(text).length, pieces.pre_tokenize(text).length, bert.normalize(text)]);
  console.log(line.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
JS
venv/bin/python rust.py | tee rust.txt
node javascript.mjs | tee javascript.txt
diff - rust.txt <<'TXT'
2
[1,3,"ab"]
[2,4,"ab"]
[1,1,"\u03bf\u03b4\u03bf\u03c3"]
[1,1,"a \ud840\udc00 b"]
[1,1,"a\ud86e\udc20b"]
[1,3,"a\u1abfb"]
TXT
diff - javascript.txt <<'TXT'
1
[2,4,"ab"]
[1,3,"ab"]
[1,1,"\u03bf\u03b4\u03bf\u03c2"]
[1,1,"a\ud840\udc00b"]
[1,1,"a\ud86e\udc20b"]
[1,3,"ab"]
TXT
echo "as described"
