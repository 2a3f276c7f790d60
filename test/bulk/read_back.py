"""Reads what runs have written with the libraries that people use, and prints their rows as JSON, folder by folder.

    python read_back.py FORMAT FOLDER..   FORMAT: jsonl, metadata, webdataset or parquet

Needs datasets, pyarrow, webdataset and Pillow. The rows of each reader are lists of [picture, name, caption], where the
picture is the SHA-256 of its RGB pixels, or null.
"""
import glob
import hashlib
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()

import datasets
import pyarrow.parquet
import webdataset

datasets.disable_progress_bars()


def pixels(image):
    return None if image is None else hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def from_bytes(data):
    import io
    import PIL.Image
    return None if data is None else pixels(PIL.Image.open(io.BytesIO(data)))


def load(*args, **options):
    loaded = datasets.load_dataset(*args, **options)
    assert list(loaded) == ["train"], list(loaded)
    return loaded["train"]


def jsonl(folder):
    rows = load(folder)
    return {"datasets": [[None, row["file_name"], row["text"]] for row in rows]}


def metadata(folder):
    rows = load(folder)
    return {"datasets": [[pixels(row["image"]), None, row["text"]] for row in rows]}


def parquet(folder):
    files = sorted(glob.glob(folder + "/*.parquet"))
    stored = pyarrow.parquet.ParquetDataset(files).read().to_pylist()
    rows = load(folder)
    assert isinstance(rows.features["image"], datasets.Image), rows.features
    assert rows.column_names == list(stored[0]), rows.column_names
    for row, same in zip(rows, stored):
        assert {**row, "image": None} == {**same, "image": None}
    return {
        "datasets": [[pixels(row["image"]), row["file_name"], row["text"]] for row in rows],
        "pyarrow": [[from_bytes(row["image"] and row["image"]["bytes"]), row["file_name"], row["text"]] for row in stored],
    }


def webdataset_rows(folder):
    files = sorted(glob.glob(folder + "/*.tar"))
    samples = list(webdataset.WebDataset(files, shardshuffle=False, empty_check=False).decode("pil"))
    field = next(name for name in samples[0] if name in ("jpg", "png"))
    rows = load(folder)
    for sample in samples:
        assert sample["json"]["text"] == sample["txt"]
    return {
        "datasets": [[pixels(row[field]), row["json"]["file_name"], row["txt"]] for row in rows],
        "webdataset": [[pixels(sample[field]), sample["json"]["file_name"], sample["txt"]] for sample in samples],
    }


READERS = {"jsonl": jsonl, "metadata": metadata, "parquet": parquet, "webdataset": webdataset_rows}

if __name__ == "__main__":
    print(json.dumps([READERS[sys.argv[1]](folder) for folder in sys.argv[2:]]))
