#!/usr/bin/env bash
# datasets 5.2.0: `load_dataset(folder)` of a local folder whose README.md says which files are data (`configs` with `data_files`,
# as the hub's documentation has it) gives the rows of another folder that has the same name and the same README.md, if that was
# loaded before; and of a folder whose files have changed since it was loaded, the rows that they had then. What it keeps is known
# by the patterns of README.md alone, not by the files that they match. Without README.md both folders, and the change, are seen.
# Seen on Linux x64 with Python 3.11.
#
# Two folders `a/animals` and `b/animals` with a JSONL file each, loaded one after the other, then the second one again after its
# file was rewritten, without README.md and with it. Prints what each load gives, and fails where any of it is another.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >look.py <<'PY'
import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(dir=".")

import datasets

datasets.disable_progress_bars()

CARD = "---\nconfigs:\n- config_name: default\n  data_files: rows.jsonl\n---\n"


def load(folder, text, card):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text(f'{{"text": "{text}"}}\n')
    if card:
        (folder / "README.md").write_text(CARD)
    return datasets.load_dataset(str(folder), split="train")[0]["text"]


seen = {}
for card in (False, True):
    top = "with" if card else "without"
    loads = [(f"{top}/a/animals", "cat"), (f"{top}/b/animals", "dog"), (f"{top}/b/animals", "horse, written later")]
    seen[card] = [load(folder, text, card) for folder, text in loads]
    for (folder, text), given in zip(loads, seen[card]):
        print(f"datasets {datasets.__version__}, {top} README.md: {folder} holds {text!r}, load_dataset gives {given!r}")
expected = {False: ["cat", "dog", "horse, written later"], True: ["cat", "cat", "cat"]}
sys.exit(seen != expected)
PY

python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 pyarrow==26.0.1
venv/bin/python look.py
echo "as described"
