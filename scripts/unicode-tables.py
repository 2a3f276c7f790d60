"""Which characters tokenizers (Rust) takes for letters, marks and so on, as src/runtime/engine/text/unicode-tables.ts.

Its crates have Unicode's tables of several versions, none of which is JavaScript's: every character is asked about.
Run: python scripts/unicode-tables.py (tokenizers 0.23.3).
"""

from pathlib import Path

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = Path(__file__).parent.parent / "src/runtime/engine/text/unicode-tables.ts"
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
# Combining classes 240, 230, 220 and 1: each moves behind or before any other.
MARKS = ["\u0345", "\u0301", "\u0316", "\u0334"]


def bert(**on):
    steps = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(steps | on)).normalize_str


clean, strip, decompose = bert(clean_text=True), bert(strip_accents=True), normalizers.NFD().normalize_str
cut = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
letters = pre_tokenizers.Split(Regex(r"\p{L}"), "isolated").pre_tokenize_str
numbers = pre_tokenizers.Split(Regex(r"\p{N}"), "isolated").pre_tokenize_str
digits = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str
words = pre_tokenizers.Whitespace().pre_tokenize_str
KNOWN_TO_NFD = "that canonical decomposition changes, or moves among marks"
TABLES = {
    "BERT_CONTROL": ("that BERT's normalizer removes", lambda c: clean(f"a{c}b") == "ab"),
    "BERT_MARK": ("that BERT's normalizer strips as an accent", lambda c: strip(f"1{c}") == "1"),
    "BERT_PUNCTUATION": ("that BERT cuts a text at", lambda c: len(cut(f"a{c}b")) == 3),
    "LETTER": (r"that `\p{L}` stands for", lambda c: len(letters(f"{c} ")) == 2),
    "NUMBER": (r"that `\p{N}` stands for", lambda c: len(numbers(f"{c} ")) == 2),
    "NUMERIC": ("that `Digits` cuts a text at", lambda c: len(digits(f"{c} ")) == 2),
    "WORD": (r"that words are made of, where `\w` of Rust's own expressions says so", lambda c: len(words(f"a{c}b")) == 1),
    "NFD": (
        KNOWN_TO_NFD,
        lambda c: decompose(c) != c or any(decompose(pair) != pair for mark in MARKS for pair in (c + mark, mark + c)),
    ),
}


def ranges(is_in):
    found = []
    for code in map(ord, filter(is_in, CHARACTERS)):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def base36(number):
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def packed(table):
    """The distance from the last range, and for a range of more than one character how many more, by turns."""
    text, last = [], 0
    for first, end in table:
        text.append(base36(first - last) + (f"-{base36(end - first)}" if end > first else ""))
        last = end
    return " ".join(text)


def main():
    lines = [f"// Made by scripts/unicode-tables.py from tokenizers {tokenizers.__version__}. Do not edit."]
    lines.append("// Ranges of characters in base 36: how far each begins behind the end of the last, and how many more follow.")
    for name, (what, is_in) in TABLES.items():
        lines += [f"/** Characters {what}. */", f"export const {name} ="]
        lines += ["  // prettier-ignore", f"  '{packed(ranges(is_in))}';"]
    TARGET.write_text("\n".join(lines) + "\n")


main()
