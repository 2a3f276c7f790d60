"""What transformers loads, class by class, for the planner: src/planner/models/model-table.ts.

  python scripts/model-table.py > src/planner/models/model-table.ts
  python scripts/model-table.py --check src/planner/models/model-table.ts   # what moved since; exit status 1 where anything did

Needs transformers, torch and, for the models that are built upon it, timm. Every class that transformers exports is built on the meta device with its default configuration; nothing is downloaded. What is
recorded: the tree of modules with numbers as "*", in the order of registration; modules without weights where maps may name them; ties; the renames and merges of loading, with
their scope; modules that must stay whole, that are never called or tell others where to be, buffers that no file holds, lists that the configuration counts, and parameters kept in float32; the prefix of the base
model; the part that runs for every token; whether it attends to an encoder; whether its attention is written out, and whether it makes logits of a whole prompt; of one that takes pictures, where most is in memory. Equal subtrees are stored once. Classes that do not build are named on stderr.
"""

import contextlib
import inspect
import logging
import os
import re
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from torch import nn
from transformers import conversion_mapping, core_model_loading
from transformers.core_model_loading import WeightConverter, build_glob_alternation
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import table_text
from counted_lists import counted_lists
from picture_peaks import picture_row
from uncalled_reads import uncalled
from unsaved_buffers import LEAST, UnsavedBuffers

transformers.logging.set_verbosity_error()
logging.disable(logging.WARNING)
torch.set_num_threads(1)

# What a model is used for, the first that names a class wins; the last word decides the workload. All others run once.
MAPPINGS = [
    ("SPEECH_SEQ_2_SEQ", "speech"),
    ("IMAGE_TEXT_TO_TEXT", "picture"),
    ("MULTIMODAL_LM", "picture"),
    ("SEQ_TO_SEQ_CAUSAL_LM", "seq2seq"),
    ("CAUSAL_LM", "causal"),
    ("MASKED_LM", "once"),
    ("PRETRAINING", "once"),
    ("IMAGE_CLASSIFICATION", "once"),
    ("ZERO_SHOT_IMAGE_CLASSIFICATION", "once"),
    ("CTC", "once"),
    ("TEXT_ENCODING", "once"),
    ("IMAGE", "once"),
    ("", "once"),
]
# What default configurations lack to build, or published ones have.
DEFAULTS = {
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "norm_rel_ebd": "layer_norm"},
    "aya_vision": {"vision_config.num_attention_heads": 16},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 48, "head_dim": 128},
    "esm": {"vocab_size": 33},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16},
    "dots1": {"n_routed_experts": 128, "num_local_experts": 128, "moe_intermediate_size": 1408},
    "chameleon": {"vocabulary_map": {"<image>": 8711}},
    "emu3": {"vocabulary_map": {"<image>": 151851, "<|extra_200|>": 151846}},
    "dbrx": {"attn_config.rope_theta": 10000.0},
    "reformer": {"is_decoder": True},
    "moonshine_streaming": {"encoder_config.num_key_value_heads": 8},
    "hunyuan_vl": {"text_config.head_dim": 128},
    "qwen3_omni_moe": {"talker_config.text_config.shared_expert_intermediate_size": 768},
}
FULL, HALF = "f", "h"


class Nodes:
    """Modules by their content: equal ones are one node."""

    def __init__(self):
        self.rows, self.index = [], {}

    def add(self, flags, tensors, children, empty):
        parts = [flags, " ".join(tensors), " ".join(f"{name}:{node}" for name, node in children.items())]
        row = "|".join([*parts, *([" ".join(empty)] if empty else [])])
        if row not in self.index:
            self.index[row] = len(self.rows)
            self.rows.append(row)
        return self.index[row]


def tree_of(model, float32):
    """Modules as nested dictionaries, with the twins of a numbered list united under "*"."""
    root, state = new_node(), model.state_dict()
    holding = {path for name in state for path in paths_above(name)}
    modules = dict(model.named_modules(remove_duplicate=False))
    whole = {path for path, module in modules.items() if path and type(module).__name__ in (model._no_split_modules or [])}
    for path, module in modules.items():
        if path and path not in holding:
            add_empty(root, path, holding, whole)
            continue
        node = place(root, path)
        if path in whole:
            node["flags"] = with_flag(node["flags"], "w")
        # Its forward reads the projections of modules that it does not call.
        if isinstance(module, nn.MultiheadAttention):
            node["flags"] = with_flag(node["flags"], "u")
        # Its forward sends inputs to where its first parameter is, which is nowhere ("meta") where that is copied for each call.
        first = next((f"{path}.{name}".strip(".") for name, _ in module.named_parameters()), "") if asks_device(module) else ""
        owner = first.rpartition(".")[0]
        if owner and not any(part.isdigit() for part in owner.split(".")):
            place(root, owner)["flags"] = with_flag(place(root, owner)["flags"], "u")
    for path in uncalled(model):
        if path in holding:
            place(root, path)["flags"] = with_flag(place(root, path)["flags"], "u")
    buffers = {name for name, _ in model.named_buffers()}
    # Maps have keys for the root's own buffers, saved or not.
    for name, _ in model.named_buffers(recurse=False):
        if name not in state:
            root["empty"].setdefault(name)
    for name in state:
        parent, _, leaf = name.rpartition(".")
        flags = float32(name) + ("b" if name in buffers else "")
        place(root, parent)["tensors"].setdefault(leaf if not leaf.isdigit() else "*", flags)
    paths = [path for path in modules if path in holding]
    order_children(root, paths)
    mark_mixed(root, paths, whole, state)
    return root


def order_children(root, paths):
    """Children in the order of registration, where twins of a list have others: each before what comes next where it is."""
    orders = {}
    for path in paths:
        above, _, name = path.rpartition(".")
        orders.setdefault(above, []).append(starred(name))
    united = {}
    for above, names in orders.items():
        known = united.setdefault(".".join(map(starred, above.split("."))), [])
        names = list(dict.fromkeys(names))
        for at, name in enumerate(names):
            if name not in known:
                following = next((known.index(each) for each in names[at + 1 :] if each in known), len(known))
                known.insert(following, name)
    for path, names in united.items():
        node = place(root, path)
        node["children"] = {name: node["children"][name] for name in [*names, *node["children"]] if name in node["children"]}


def mark_mixed(root, paths, whole, state):
    """Lists of which some members must stay whole: "w=part", what those hold and the others do not."""
    parts = {}
    for name in state:
        for above, part in ((path, name[len(path) + 1 :].split(".")[0]) for path in paths_above(name)):
            parts.setdefault(above, set()).add(part)
    members = {}
    for path in paths:
        members.setdefault(".".join(map(starred, path.split("."))), []).append(path)
    for alike in members.values():
        kept, split = [[path for path in alike if (path in whole) == is_whole] for is_whole in (True, False)]
        if not kept or not split:
            continue
        marks = set.intersection(*(parts[path] for path in kept)) - set.union(*(parts[path] for path in split))
        # Where nothing tells them apart all stay whole, which holds, if for more than it has to.
        if marks:
            node = place(root, kept[0])
            node["flags"] = f"{node['flags']}={min(marks)}"


def asks_device(module):
    return isinstance(module, transformers.PreTrainedModel) and ".to(self.device" in inspect.getsource(type(module).forward)


def with_flag(flags, flag):
    return flags if flag in flags else "".join(sorted(flags + flag))


def new_node():
    return {"flags": "", "tensors": {}, "children": {}, "empty": {}}


def starred(part):
    return "*" if part.isdigit() else part


def paths_above(name):
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def place(root, path):
    node = root
    for part in path.split(".") if path else []:
        node = node["children"].setdefault(starred(part), new_node())
    return node


def add_empty(root, path, holding, whole):
    """A module without weights, at the lowest module above it that has some; those in modules that stay whole get no keys."""
    parts = path.split(".")
    depth = max((len(above.split(".")) for above in paths_above(path) if above in holding), default=0)
    above = ".".join(parts[:depth])
    if any(each in whole for each in [*paths_above(above), above]):
        return
    # In a list with members that have weights, the others are told by their numbers.
    is_mixed = parts[depth].isdigit() and any(name.rpartition(".")[0] == above and name.rpartition(".")[2].isdigit() for name in holding)
    first = parts[depth] if is_mixed else starred(parts[depth])
    place(root, above)["empty"].setdefault(".".join([first, *map(starred, parts[depth + 1 :])]))


def store(nodes, node):
    children = {name: store(nodes, child) for name, child in node["children"].items()}
    tensors = [name + (f":{kept}" if kept else "") for name, kept in node["tensors"].items()]
    return nodes.add(node["flags"], tensors, children, list(node["empty"]))


def float32_rule(cls, config):
    """Parameter -> "f" where it is loaded in float32 whatever is asked for, "h" where only under float16."""
    answers = []
    for dtype in (torch.bfloat16, torch.float16):
        with torch.device("meta"):
            model = cls._from_config(config, dtype=dtype)
        plan = model._get_dtype_plan(dtype)
        pattern = build_glob_alternation(list(plan))[0] if plan else None
        own = {name for name, tensor in model.state_dict().items() if tensor.dtype == torch.float32}
        answers.append((pattern, own))

    def rule(name):
        strict, half = [(p is not None and p.search(name) is not None) or name in own for p, own in answers]
        return FULL if strict else HALF if half else ""

    return rule, model


def transforms_of(transforms):
    """Renames and merges as the loader applies them: kind, sources, targets, and where they apply."""
    rows = []
    for each in transforms:
        kind = {
            "WeightRenaming": "r",
            "PrefixChange": "r",
            "GroupWeightRename": "g",
            "LayerPairCollapse": "p",
            "Inkling2IndexOffsetWeightRename": "o",
        }.get(type(each).__name__, "c" if isinstance(each, WeightConverter) else None)
        if kind is None:
            raise ValueError(f"unknown transform {type(each).__name__}")
        row = [kind, each.source_patterns, each.target_patterns]
        if kind == "o":
            row[0] = f"o{each.offset}"
        if kind == "c" and any("Transpose" in type(op).__name__ for op in each.operations):
            row[0] = "ct"
        if each.scope_prefix is not None:
            row.append(each.scope_prefix)
        rows.append(row)
    return rows


def ties_of(model):
    """Tied parameter -> the one that it follows, were the configuration to tie all that it can."""
    for module in model.modules():
        if isinstance(module, transformers.PreTrainedModel):
            module.config.tie_word_embeddings = True
    ties = model.get_expanded_tied_weights_keys(all_submodels=True)
    names = set(model.state_dict())
    # Chains end at the first of all.
    return by_module({target: ties.get(source, source) for target, source in ties.items() if target in names}, names)


def by_module(ties, names):
    """Modules in place of their tensors, as high as all of them are tied to those of one other module."""
    while True:
        groups = {}
        for target, source in ties.items():
            (above, _, last), (other, _, same) = target.rpartition("."), source.rpartition(".")
            if above and other and last == same:
                groups.setdefault((above, other), set()).add(last)
        whole = None
        for (above, other), parts in groups.items():
            held = {name[len(above) + 1 :].split(".")[0] for name in names if name.startswith(f"{above}.")}
            if held == parts and (len(parts) > 1 or re.search(r"\.\d+\.", above)):
                whole = (above, other, parts)
                break
        if whole is None:
            return ties
        above, other, parts = whole
        ties = {target: source for target, source in ties.items() if target.rpartition(".")[0] != above}
        ties[above] = other


PARTS = ("text_config", "llm_config", "language_config", "thinker_config", "decoder")


def tying_of(cls, config):
    """
    Whether a class ties, "T" or "F", where its configuration says nothing of it, that it does not, and that it does; three letters for each of these
    where a part for the language model may say so too. Parts of a model tie by their own configurations, whatever the whole says.
    """
    given = {name: value for name, value in config.to_dict().items() if name != "tie_word_embeddings"}
    part = next((name for name in PARTS if isinstance(given.get(name), dict)), None)

    def saying(values, said):
        return {name: value for name, value in {**values, "tie_word_embeddings": said}.items() if name != "tie_word_embeddings" or value is not None}

    def ties(whole, of_part):
        parts = {} if part is None else {part: saying(given[part], of_part)}
        try:
            with torch.device("meta"):
                return bool(cls._from_config(type(config).from_dict(saying({**given, **parts}, whole)), dtype=torch.float16).all_tied_weights_keys)
        except Exception:
            return False

    answers = (None, False, True)
    return "".join("T" if ties(whole, of_part) else "F" for whole in answers for of_part in (answers if part else (None,)))


def decoder_of(model, use):
    """Path of the part that runs for every token; null where all of it does, or nothing."""
    if use == "once":
        return None
    decoder = model.get_decoder()
    # Of a part that is an encoder and a decoder, as BART is in Florence-2.
    if getattr(getattr(decoder, "config", None), "is_encoder_decoder", False):
        decoder = getattr(decoder, "decoder", decoder)
    path = next((name for name, module in model.named_modules() if module is decoder), "")
    return path or None


def keeper_of(model):
    """Path of the part that keeps keys and values, unless its configuration says otherwise, though nobody generates with them; null where none does."""
    for path, module in model.named_modules():
        if not isinstance(module, transformers.PreTrainedModel) or not hasattr(module.config, "use_cache"):
            continue
        source = inspect.getsource(inspect.unwrap(type(module).forward))
        # What may be an encoder keeps them as a decoder alone.
        if "Cache(" in source and ("is_decoder" not in source or getattr(module.config, "is_decoder", False)):
            # Some make them for a part beside a tower or an encoder.
            decoder = module.get_decoder()
            return next((name for name, part in model.named_modules() if part is decoder), path)
    return None


def encodes(model):
    """Whether what it is given goes through an encoder, to which its decoder attends."""
    return any(getattr(part, "is_encoder_decoder", False) for part in (model.config, getattr(model.config, "text_config", None)))


def head_of(model):
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return next((name for name, module in model.named_modules() if module is head), None) if head is not None else None


def default_config(config_class, cls):
    """The default configuration; of a class for a part of a model, that of the part."""
    config = config_class()
    wanted = getattr(cls, "config_class", None)
    for part in (getattr(config, name, None) for name in getattr(config, "sub_configs", {})):
        if wanted is not None and isinstance(part, wanted) and not isinstance(config, wanted):
            return part
    for field, value in DEFAULTS.get(config.model_type, {}).items():
        target = config
        *path, last = field.split(".")
        for step in path:
            target = getattr(target, step)
        setattr(target, last, value)
    return config


def changed(cls, config_class, changes):
    """The model with fields of its default configuration changed."""
    config = default_config(config_class, cls)
    for field, value in changes.items():
        *path, last = field.split(".")
        target = config
        for step in path:
            target = getattr(target, step)
        setattr(target, last, value)
    with torch.device("meta"):
        return cls._from_config(config, dtype=torch.float16)


def record(cls, config_class, use, nodes, buffers):
    config = default_config(config_class, cls)
    rule, model = float32_rule(cls, config)
    legacy = len(core_legacy)
    transforms = conversion_mapping.get_model_conversion_mapping(model)
    entry = {"use": use, "root": store(nodes, tree_of(model, rule))}
    attending = (model.get_decoder() if use != "once" else None) or model
    if getattr(attending, "config", config)._attn_implementation == "eager":
        entry["eager"] = True
    if use != "once" and encodes(model):
        entry["encodes"] = True
    own = transforms_of(transforms[: len(transforms) - legacy])
    if model.base_model_prefix:
        entry["prefix"] = model.base_model_prefix
    decoder, head = decoder_of(model, use), head_of(model)
    keeper = keeper_of(model) if use == "once" else None
    if keeper is not None:
        decoder, entry["keeps"] = keeper, True
    if decoder:
        entry["decoder"] = decoder
    if head and use != "once":
        entry["head"] = head
    # What `generate` asks for the last token's alone.
    if head and use != "once" and "logits_to_keep" not in inspect.signature(cls.forward).parameters:
        entry["logits"] = True
    if use == "once" and cls.main_input_name == "pixel_values":
        entry["pictures"] = picture_row(cls, config, config.model_type)
    if own:
        entry["renames"] = own
    # A set, whose order is another in every run.
    ignored = sorted(model._keys_to_ignore_on_load_unexpected or [])
    if ignored:
        entry["ignored"] = ignored
    unsaved = buffers.rows(lambda changes: changed(cls, config_class, changes), model)
    if unsaved:
        entry["unsaved"] = unsaved
    counted = counted_lists(lambda changes: changed(cls, config_class, changes), model)
    if counted:
        entry["counted"] = counted
    ties = ties_of(model)
    if ties:
        entry["ties"] = ties
        entry["tying"] = tying_of(cls, config)
    return entry


core_legacy = conversion_mapping.get_checkpoint_conversion_mapping("legacy")


def mapped():
    for mapping, use in MAPPINGS:
        names = getattr(modeling_auto, f"MODEL_FOR_{mapping}_MAPPING_NAMES" if mapping else "MODEL_MAPPING_NAMES")
        for model_type, found in names.items():
            for name in found if isinstance(found, (tuple, list)) else (found,):
                yield model_type, name, use


def others():
    """All other classes that transformers exports: with heads that classify, detect or speak, and parts of models."""
    for name in sorted(dir(transformers)):
        cls = getattr(transformers, name, None)
        if not isinstance(cls, type) or not issubclass(cls, transformers.PreTrainedModel) or "pretrained" in name.lower():
            continue
        model_type = getattr(getattr(cls, "config_class", None), "model_type", "")
        if model_type:
            yield model_type, name, "once"


def generate(limit):
    nodes, buffers, classes, types, failed = Nodes(), UnsavedBuffers(), {}, {}, {}
    for model_type, name, use in [*mapped(), *others()]:
        if limit and name not in limit:
            continue
        known = types.setdefault(model_type, [])
        if name not in known:
            known.append(name)
        if name in classes or name in failed:
            continue
        try:
            cls = getattr(transformers, name)
            classes[name] = record(cls, CONFIG_MAPPING[model_type] if model_type in CONFIG_MAPPING else cls.config_class, use, nodes, buffers)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {str(error)[:100]}".replace("\n", " ")

    types = {kind: [name for name in found if name in classes] for kind, found in types.items()}
    legacy = transforms_of(core_legacy)
    text = table_text.encode({"transformers": transformers.__version__, "legacy": legacy, "nodes": nodes.rows, "classes": classes, "types": types})
    print(f"{len(classes)} classes, {len(nodes.rows)} nodes, {len(text)} characters; {len(failed)} failed", file=sys.stderr)
    for name, why in failed.items():
        print(f"  {name}: {why}", file=sys.stderr)
    return text


def unfolded(text):
    """Class -> all that the table says of it."""
    table = table_text.decode(text)

    def subtree(index):
        flags, tensors, children, *empty = table["nodes"][index].split("|")
        pairs = [word.rpartition(":") for word in children.split()]
        return [flags, tensors, {name: subtree(int(node)) for name, _, node in pairs}, *empty]

    return {name: {**entry, "root": subtree(entry["root"])} for name, entry in table["classes"].items()}


def moved(before, after):
    """One line for each class that is new, gone or other than it was."""
    old, new = unfolded(before), unfolded(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"gone: {name}"
        elif name not in old:
            yield f"new: {name}"
        elif old[name] != new[name]:
            keys = [key for key in old[name].keys() | new[name].keys() if old[name].get(key) != new[name].get(key)]
            yield f"moved: {name}: {', '.join('modules' if key == 'root' else key for key in sorted(keys))}"


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--check"]:
        lines = list(moved(table_text.committed(arguments[1]), generate(set())))
        print("\n".join(lines) or "nothing moved")
        sys.exit(bool(lines))
    # Some models say on stdout what their documentation lacks.
    with contextlib.redirect_stdout(sys.stderr):
        text = generate(set(arguments))
    print("// Made by scripts/model-table.py; do not edit.")
    print(f"export default String.raw`{text}`;")
