"""What a class that takes pictures has in memory at most while it runs, and where, for the planner: one pass of its default configuration on fake tensors.

A row is "height width path factor path factor": the size that its processor makes pictures by default ("-" for none), and modules of one product at which
much is in memory, each with the elements (of two bytes) then, for every pixel and channel of that product. Another configuration has other channels there,
and pictures of another size; what a module makes, and at which resolution, is the class's.
"""

import torch
import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES, get_image_processor_class_from_name

from fake_run import apart, inputs, run_live

# Of the most that is there anywhere; what is less elsewhere decides nothing.
SHARE = 0.7
MOST = 3


def processor_size(model_type):
    """Height and width, where its processor has a size that it does not ask the configuration for."""
    names = IMAGE_PROCESSOR_MAPPING_NAMES.get(model_type) or {}
    kind = next((found for name in dict.fromkeys(names.values()) if name and (found := get_image_processor_class_from_name(name)) is not None), None)
    for size in (getattr(kind, "crop_size", None), getattr(kind, "size", None)):
        if isinstance(size, int):
            return size, size
        if isinstance(size, dict) and {"height", "width"} <= set(size):
            return size["height"], size["width"]
        if isinstance(size, dict) and "shortest_edge" in size:
            return size["shortest_edge"], size.get("longest_edge", size["shortest_edge"])
    return None


def most_at(model, make_inputs):
    """Module of one product -> bytes that are there at most between its beginning and the next one's; and pixels."""
    most, last, pixels = {}, [None], [0]

    def entered(path):
        def hook(_, given):
            # Not what only makes a table of places in a window, or a class of one token.
            if given and isinstance(given[0], torch.Tensor) and 8 * given[0].numel() >= pixels[0]:
                last[0] = path

        return hook

    def made():
        given = make_inputs()
        pixels[0] = given["pixel_values"].shape[-2] * given["pixel_values"].shape[-1]
        return given

    for path, module in model.named_modules():
        own = [each for each in module._parameters.values() if each is not None and each.dim() > 1]
        if own and not any(True for _ in module.children()):
            module.register_forward_pre_hook(entered(path))

    def told(now):
        if last[0] is not None:
            most[last[0]] = max(most.get(last[0], 0), now)

    run_live(model, made, told)
    return most, pixels[0]


def starred(path):
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def measured(cls, config, size):
    with torch.device("meta"):
        model = cls._from_config(config, dtype=torch.bfloat16).eval()
    # Those in and out of a product, or all of a scale.
    channels = {name.rpartition(".")[0]: max(tensor.shape[:2]) if max(tensor.shape[:2]) > 1 else max(tensor.shape) for name, tensor in model.named_parameters() if name.endswith(".weight") and tensor.dim() > 1}
    most, pixels = most_at(model, lambda: inputs(model, config, "cpu", torch.bfloat16, size or 224))
    highest = max(most.values())
    factors = {path: held / 2 / pixels / channels[path] for path, held in most.items() if path in channels and held >= SHARE * highest}
    chosen = []
    for path in sorted(factors, key=lambda path: -most[path]):
        # Members of a list are much the same; those of a stage with fewer patches are not.
        if not any(starred(path) == starred(known) and 1.1 * most[path] > most[known] for known in chosen):
            chosen.append(path)
    return [[path, factors[path]] for path in chosen[:MOST]]


def picture_row(cls, config, model_type):
    size = processor_size(model_type)

    def tried():
        try:
            return measured(cls, config, size)
        except Exception:
            return []

    peaks = apart(tried) or []
    words = [*(map(str, size) if size else ("-", "-")), *(word for path, factor in peaks for word in (path, f"{factor:.3g}"))]
    return " ".join(words)
