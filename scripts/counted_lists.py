"""Lists of modules, such as layers, that a field of the configuration counts: "path field", or "path field+1" where there is one more.

A list's field is found by counting one less: lists within members of others are not looked at.
"""

import re

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
                rows[path] = f"{path} {field}" + (f"{added:+d}" if added else "")
    return list(rows.values())


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
