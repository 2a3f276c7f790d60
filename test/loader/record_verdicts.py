"""Records what the reference reader says to every crafted file: python test/loader/record_verdicts.py

Needs the Python package safetensors. Compiles the generator with the repository's own TypeScript.
"""
import json
import pathlib
import subprocess
import tempfile

import safetensors

from reference_reader import verdict

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent

with tempfile.TemporaryDirectory() as folder:
    built = ROOT / "dist" / "recorder"
    subprocess.run(["npx", "tsc", "-p", ".", "--noEmit", "false", "--rootDir", ".", "--outDir", str(built)], cwd=ROOT)
    subprocess.run(["node", str(built / "test/loader/write-reference-cases.js"), folder], check=True)
    files = sorted(pathlib.Path(folder).iterdir())
    verdicts = {path.stem: verdict(path.read_bytes()) for path in files}

document = {"reader": f"safetensors {safetensors.__version__} (Python)", "verdicts": verdicts}
(HERE / "reference-verdicts.json").write_text(json.dumps(document, indent=1) + "\n")
print(f"{len(verdicts)} verdicts")
