#!/usr/bin/env bash
# fastparquet 2026.9.0 writes a table that only it reads, if has_nulls is "infer" or None: a column of text or bytes gets the levels
# that tell nulls, and a schema that says "required", of which there are none. Other readers take the levels for the first value:
# pyarrow and duckdb give as many rows as there are, all of them moved by one, the first being made up and the last value gone. polars
# refuses the file. With True, the default, all read the same.
# Seen with Python 3.11.7 on Linux x64, pandas 3.1.1, pyarrow 26.0.1, duckdb 2.0.1, polars 2.1.0, 2026-11-30. Exits 1 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0

cat >look.py <<'PY'
import duckdb
import fastparquet
import pandas
import polars
import pyarrow.parquet

VALUES = ["one", "two", "three"]
READERS = {
    "fastparquet": lambda: list(fastparquet.ParquetFile("table.parquet").to_pandas()["text"]),
    "pyarrow": lambda: pyarrow.parquet.read_table("table.parquet")["text"].to_pylist(),
    "duckdb": lambda: [row[0] for row in duckdb.sql("select text from 'table.parquet'").fetchall()],
    "polars": lambda: polars.read_parquet("table.parquet")["text"].to_list(),
}


def outcome(read):
    try:
        return read()
    except Exception as error:
        return type(error).__name__


as_described = True
for has_nulls in (True, "infer", None):
    table = pandas.DataFrame({"text": pandas.Series(VALUES, dtype=object)})
    fastparquet.write("table.parquet", table, has_nulls=has_nulls, object_encoding={"text": "utf8"})
    read = {name: outcome(reader) for name, reader in READERS.items()}
    print(f"has_nulls={has_nulls!r}:", read)
    moved = ["\x06\x01", "one", "two"]
    others = {"pyarrow": moved, "duckdb": moved, "polars": "ComputeError"} if has_nulls is not True else {}
    as_described &= read == {name: VALUES for name in READERS} | others
raise SystemExit(not as_described)
PY
venv/bin/python look.py
echo "as described"
