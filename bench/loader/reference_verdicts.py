"""The reference reader as a service: reads files from stdin, each after its length (8 bytes, little-endian), and answers a
line each: "ok" or the name of the error. For fuzz.mjs."""
import struct
import sys

from safetensors import SafetensorError, deserialize

NAMES = {
    "header too small": "HeaderTooSmall",
    "header too large": "HeaderTooLarge",
    "invalid header length": "InvalidHeaderLength",
    "invalid UTF-8 in header": "InvalidHeader",
    "invalid JSON in header": "InvalidHeaderDeserialization",
    "invalid offset for tensor": "InvalidOffset",
    "overflow computing buffer size": "ValidationOverflow",
    "The slice is slicing for subbytes": "MisalignedSlice",
    "invalid shape, data type, or offset": "TensorInvalidInfo",
    "incomplete metadata": "MetadataIncompleteBuffer",
}

while prefix := sys.stdin.buffer.read(8):
    data = sys.stdin.buffer.read(struct.unpack("<Q", prefix)[0])
    try:
        deserialize(data)
        print("ok", flush=True)
    except SafetensorError as error:
        message = str(error).removeprefix("Error while deserializing: ")
        print(next((name for text, name in NAMES.items() if message.startswith(text)), message), flush=True)
