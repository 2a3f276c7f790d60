"""A model's tensors by the names, and in the shapes, that save_pretrained writes."""
import re

from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import revert_weight_conversion

# Renames of Qwen's Omni models, which do not reverse into the names that files have.
ABOVE = r"^(?:(?:thinker|model|language_model)\.)*"
OMNI = [(ABOVE + r"(audio_tower|visual|lm_head)\.", r"thinker.\1."), (ABOVE + r"(layers|embed_tokens|norm)\.", r"thinker.model.\1.")]


def published(model):
    state = dict(model.state_dict())
    for tied in model.all_tied_weights_keys:
        state.pop(tied, None)
    model._weight_conversions = get_model_conversion_mapping(model, add_legacy=False)
    state = revert_weight_conversion(model, state)
    if re.match(r"Qwen\w+Omni\w*For", type(model).__name__):
        return {renamed(name): tensor for name, tensor in state.items()}
    return state


def renamed(name):
    if re.match("(talker|token2wav|code2wav)\\.", name):
        return name
    for pattern, target in OMNI:
        name = re.sub(pattern, target, name, count=1)
    return name
