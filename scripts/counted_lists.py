"""Lists of modules, such as layers, that a field of the configuration counts: "path field", or "path field+1" where there is one more.

A list's field is found by counting one less: lists within members of others are not looked at. "first" or "last" behind it where that
member does without something that the others have, as ModernBERT's first layer without its first norm.
"""

import re
from collections import Counter

from unsaved_buffers import integers

COUNTS = re.compile("layer|depth|block")
KINDS = re.compile("layer.*type|type.*layer|block.*type|pattern|layout")


def counted_lists(build, model):
    """`build(changes)`: another model of the class on the meta device, {field: value} applied to its configuration."""
    lengths = lengths_of(model)
    rows = {}
    for field, value in integers(model.config):
        if value < 2 or not COUNTS.search(field) or not any(abs(length - value) < 3 for length in lengths.values()):
            continue
        fewer = fewer_of(build, model.config, field, value)
        for path, length in lengths.items():
            added = length - value
            if path not in rows and fewer.get(path) == length - 1:
                rows[path] = " ".join([f"{path} {field}" + (f"{added:+d}" if added else ""), *lesser_ends(model, path)])
    return list(rows.values())


def lesser_ends(model, path):
    """An end that has something which most members have not is of another kind, whatever else it lacks: src/planner/models/layer-holes.ts says so too."""
    members = {}
    for name in model.state_dict():
        if name.startswith(f"{path}."):
            number, _, leaf = name[len(path) + 1 :].partition(".")
            members.setdefault(int(number), set()).add(leaf)
    held = Counter(leaf for leaves in members.values() for leaf in leaves)
    most = {leaf for leaf, count in held.items() if len(members) - count <= max(1, len(members) / 10)}
    rare = {leaf for leaf, count in held.items() if 2 * count <= len(members)}
    ends = (("first", min(members)), ("last", max(members))) if members else ()
    return [name for name, at in ends if most - members[at] and not rare & members[at]]


def fewer_of(build, config, field, value):
    for changes in ({field: value - 1}, {field: value - 1, **shorter(config, field, value)}):
        try:
            return lengths_of(build(changes))
        except Exception:
            continue
    return {}


def shorter(config, field, value):
    """What says of each member of which kind it is, for one member less."""
    above = field.rpartition(".")[0]
    for step in above.split(".") if above else []:
        config = getattr(config, step)
    start = f"{above}." if above else ""
    return {start + name: each[: value - 1] for name, each in config.to_dict().items() if isinstance(each, list) and len(each) == value and KINDS.search(name)}


def lengths_of(model):
    lengths = {}
    for path, module in model.named_modules(remove_duplicate=False):
        above, _, last = path.rpartition(".")
        if last.isdigit() and above and not re.search(r"(^|\.)\d+(\.|$)", above) and next(module.parameters(), None) is not None:
            lengths[above] = lengths.get(above, 0) + 1
    return lengths
