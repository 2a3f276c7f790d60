"""Records what the reference reader says to every crafted file: python test/loader/record_verdicts.py

Needs the Python package safetensors. Compiles the generator with the repository's own TypeScript.
"""
import json
import pathlib
import subprocess
import tempfile

import safetensors
from safetensors import SafetensorError, deserialize

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent

# Display text of SafeTensorError (safetensors 0.8, tensor.rs) -> its name.
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
    try:
        tensors = deserialize(data)
    except SafetensorError as error:
        message = str(error).removeprefix("Error while deserializing: ")
        return {"error": next(name for text, name in NAMES.items() if message.startswith(text))}
    return {"tensors": {name: [t["dtype"], t["shape"], len(t["data"])] for name, t in sorted(tensors) if len(name) < 1000}}


with tempfile.TemporaryDirectory() as folder:
    built = ROOT / "dist" / "recorder"
    subprocess.run(["npx", "tsc", "-p", ".", "--noEmit", "false", "--rootDir", ".", "--outDir", str(built)], cwd=ROOT)
    subprocess.run(["node", str(built / "test/loader/write-reference-cases.js"), folder], check=True)
    files = sorted(pathlib.Path(folder).iterdir())
    verdicts = {path.stem: verdict(path.read_bytes()) for path in files}

document = {"reader": f"safetensors {safetensors.__version__} (Python)", "verdicts": verdicts}
(HERE / "reference-verdicts.json").write_text(json.dumps(document, indent=1) + "\n")
print(f"{len(verdicts)} verdicts")
