#!/usr/bin/env bash
# tokenizers 0.23.3 knows three versions of Unicode at once, so that what a character is depends on which part of a tokenizer asks. `BertNormalizer`
# with `strip_accents` takes marks away that Unicode 8 has and keeps those of 9 to 15; `BertPreTokenizer` does not cut at punctuation of 9, 13 and 14 (U+2E43,
# U+2E52, U+061D, U+2E5D); a `Split` by the expression \p{L} knows letters of 16 (U+105C0, U+A7DA) and not those of 17 (U+A7CE, U+16EA0); and `Lowercase`
# makes small letters of those of 17 as well. So "꟎" is lowered as a letter and cut as none. Two texts that differ by a newer mark have other ids for uncased BERT,
# and a port that asks its language's own tables gives others again.
# Seen with Python 3.11.7, tokenizers 0.23.3, on Linux x64, 2026-11-29. Exits 1 if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3

cat >versions.py <<'PY'
from tokenizers import Regex, normalizers, pre_tokenizers

accents = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=True, lowercase=False)
for version, mark in ((1, "\u0301"), (9, "\u08d4"), (10, "\u1df6"), (14, "\u1dfa"), (15, "\U0001e4ec")):
    print(f"mark of {version}:", "taken away" if accents.normalize_str("a" + mark) == "a" else "kept")
bert = pre_tokenizers.BertPreTokenizer()
for version, sign in ((7, "\u2e3c"), (9, "\u2e43"), (13, "\u2e52"), (14, "\u061d"), (14, "\u2e5d")):
    print(f"punctuation of {version}:", len(bert.pre_tokenize_str(f"a{sign}b")), "pieces")
letters = pre_tokenizers.Split(Regex(r"\p{L}+"), "isolated")
for version, letter in ((16, "\U000105c0"), (16, "\ua7da"), (17, "\ua7ce"), (17, "\U00016ea0")):
    small = normalizers.Lowercase().normalize_str(letter) != letter
    print(f"letter of {version}:", len(letters.pre_tokenize_str(f"1{letter}1")), "pieces,", "has a small one" if small else "has none")
PY
venv/bin/python versions.py | tee seen.txt
diff - seen.txt <<'TXT'
mark of 1: taken away
mark of 9: kept
mark of 10: kept
mark of 14: kept
mark of 15: kept
punctuation of 7: 3 pieces
punctuation of 9: 1 pieces
punctuation of 13: 1 pieces
punctuation of 14: 1 pieces
punctuation of 14: 1 pieces
letter of 16: 3 pieces, has none
letter of 16: 3 pieces, has a small one
letter of 17: 1 pieces, has a small one
letter of 17: 1 pieces, has a small one
TXT
echo "as described"
