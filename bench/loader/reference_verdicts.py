"""The reference reader as a service: reads files from stdin, each after its length (8 bytes, little-endian), and answers a
line each: "ok" or the name of the error. For fuzz.mjs."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "test" / "loader"))
from reference_reader import verdict  # noqa: E402

while prefix := sys.stdin.buffer.read(8):
    data = sys.stdin.buffer.read(struct.unpack("<Q", prefix)[0])
    print(verdict(data).get("error", "ok"), flush=True)
