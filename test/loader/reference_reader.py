"""The reference reader's verdict on a file, by the names of its `SafeTensorError` (safetensors 0.8, tensor.rs)."""
from safetensors import SafetensorError, deserialize

# The text that each error is displayed with -> its name.
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


def verdict(data: bytes) -> dict:
    """{"error": name}, or {"tensors": {name: [dtype, shape, bytes]}}; names of a kilobyte and more are left out."""
    try:
        tensors = deserialize(data)
    except SafetensorError as error:
        message = str(error).removeprefix("Error while deserializing: ")
        return {"error": next(name for text, name in NAMES.items() if message.startswith(text))}
    return {"tensors": {name: [t["dtype"], t["shape"], len(t["data"])] for name, t in sorted(tensors) if len(name) < 1000}}
