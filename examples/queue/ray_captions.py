"""Captions by a pool of Ray Data actors, each with one `blip2-run worker`: python ray_captions.py MODEL OUT PICTURE..."""

import json
import subprocess
import sys

import ray


class Captioner:
    def __init__(self, model: str):
        command = ["blip2-run", "worker", "--model", model, "--quiet"]
        self.worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, batch: dict) -> dict:
        line = {"id": "batch", "pictures": [str(path) for path in batch["path"]]}
        print(json.dumps(line), file=self.worker.stdin, flush=True)
        text = self.worker.stdout.readline()
        if text == "":
            # Ray starts another actor, and gives it the batch.
            raise ray.exceptions.RayActorError()
        answer = json.loads(text)
        if answer["status"] != "done":
            raise RuntimeError(answer["error"]["message"])
        records = answer["records"]
        return {
            "file_name": [record["file_name"] for record in records],
            "text": [record["text"] for record in records],
            "error": [record["error"] for record in records],
        }


if __name__ == "__main__":
    model, out, *pictures = sys.argv[1:]
    captions = ray.data.from_items([{"path": path} for path in pictures]).map_batches(
        Captioner,
        fn_constructor_args=[model],
        batch_size=64,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    captions.write_json(out)
