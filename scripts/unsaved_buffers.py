"""Buffers that classes make themselves, which no file holds: where they are, how large, and which of them a map must place.

`UnsavedBuffers().rows(build, model)` gives rows "name" or "name unit factor factor": the key that a map may have for it, numbers of lists as "*", with
"!" behind where nothing else brings it to the GPU; bytes of an element, "d" being those of the model's dtype; and how many elements there are, as
the product of numbers and of "a*field=default+b^power", a field of the configuration. What a dimension depends on is found by changing the
fields that could be behind it one by one.
"""

import ast
import functools
import inspect
import re
import textwrap

from uncalled_reads import chain_of

# Smaller ones are not worth their bytes.
LEAST = 2000
SIDES = re.compile("image_size|patch_size|window_size|stride|grid|spatial")


class UnsavedBuffers:
    def __init__(self):
        self.known = {}

    def rows(self, build, model):
        """`build(changes)`: another model of the class on the meta device, {field: value} applied to its configuration."""
        state = set(model.state_dict())
        alike = {}
        for name, buffer in model.named_buffers(remove_duplicate=False):
            if name not in state:
                alike.setdefault(starred(name), []).append((name, buffer))
        modules = [starred(path) for path, _ in model.named_modules(remove_duplicate=False)]
        rows = {}
        for pattern, found in alike.items():
            (name, buffer), *_ = found
            mark = "!" if needs_place(model, name) else ""
            listed = pattern[: pattern.rindex("*") + 1] if "*" in pattern else None
            shapes = {tuple(each.shape) for _, each in found}
            if len(shapes) == 1 and (listed is None or len(found) == modules.count(listed)):
                size = self.size_of(build, model, name, buffer)
                rows.setdefault(key_of(pattern, name, state), []).append((mark, size))
                continue
            # Where members of a list differ, each by itself, as it is by default.
            rows.setdefault(key_of(pattern, name, state), []).append((mark, ""))
            for path, each in found:
                size = f" {self.unit(model, each)} {each.numel()}" if each.numel() >= LEAST else ""
                rows.setdefault(key_of(path, path, state), []).append(("", size))
        # Of a module that holds nothing else one row says where, and each of its buffers how much.
        said = []
        for key, parts in rows.items():
            mark = max(mark for mark, _ in parts)
            sizes = [size for _, size in parts if size] or [""]
            for at, size in enumerate(sizes):
                row = f"{key}{mark if at == 0 else ''}{size}"
                if row != key:
                    said.append(row)
        return said

    def unit(self, model, buffer):
        return "d" if buffer.dtype == model.dtype and buffer.is_floating_point() else str(buffer.element_size())

    def size_of(self, build, model, name, buffer):
        if buffer.numel() < LEAST:
            return ""
        known = (type(model.config), starred(".".join(name.split(".")[-3:])), tuple(buffer.shape))
        if known not in self.known:
            self.known[known] = self.factors(build, model, name, buffer.shape)
        return " ".join(["", self.unit(model, buffer), *self.known[known]])

    def factors(self, build, model, name, shape):
        fields = dict(integers(model.config))
        found = [[] for _ in shape]
        for field, value in fields.items():
            if not any(side > 1 and may_be(field, value, side) for side in shape):
                continue
            others = {each: sides for each in (2 * value, 3 * value, 4 * value) if (sides := self.sides(build, field, each, name)) and len(sides) == len(shape)}
            for at, side in enumerate(shape):
                points = {value: side, **{each: sides[at] for each, sides in others.items()}}
                if len(set(points.values())) > 1:
                    found[at].append((field, value, fitted(points)))
        parts = []
        for side, terms in zip(shape, found):
            product = 1
            for _, value, term in terms:
                product = 0 if term is None else product * term[2](value)
            if terms and product and side % product == 0:
                parts += [f"{term[0]}{field}={value}{term[1]}" for field, value, term in terms]
                side //= round(product)
            elif terms and product and (side / product).is_integer():
                parts += [f"{term[0]}{field}={value}{term[1]}" for field, value, term in terms]
                side = round(side / product)
            if side != 1:
                parts.append(str(side))
        return parts

    def sides(self, build, field, value, name):
        try:
            buffer = dict(build({field: value}).named_buffers(remove_duplicate=False))[name]
            return list(buffer.shape)
        except Exception:
            return None


def fitted(points):
    """Text before and behind a field, and the function, through all points; None where no simple one goes."""
    (first, at_first), *_ = points.items()
    for power in (1, 2, 3, 4, -1, -2, -4):
        if all(abs(side * first**power - at_first * value**power) < 1e-6 * side * first**power for value, side in points.items()):
            return "", "" if power == 1 else f"^{power}", lambda value, power=power: float(value) ** power if power < 0 else value**power
    for power in (1, 2, 4):
        roots = {value: round(side ** (1 / power)) for value, side in points.items()}
        (x, y), (other, z), *_ = roots.items()
        slope = (z - y) / (other - x)
        base = y - slope * x
        if slope.is_integer() and base.is_integer() and all((slope * value + base) ** power == side for value, side in points.items()):
            scale, added = round(slope), round(base)
            text = f"{added:+d}" if added else ""
            return "" if scale == 1 else f"{scale}*", text + ("" if power == 1 else f"^{power}"), lambda value, s=scale, b=added, p=power: (s * value + b) ** p
    return None


def may_be(field, value, side):
    if value < 2:
        return False
    near = range(-2, 6)
    return side - value in near or side - 2 * value in near or side in (value**2, value**4, 2 * value**2) or (SIDES.search(field) is not None)


def integers(config, above=""):
    for name, value in config.to_dict().items():
        # Some fields are one for each layer, and not to be asked for.
        own = getattr(config, name, None) if isinstance(value, dict) else None
        if hasattr(own, "to_dict"):
            yield from integers(own, f"{above}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool) and not name.endswith("_id") and not name.startswith("_"):
            yield f"{above}{name}", value


def starred(path):
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def key_of(path, name, state):
    """The module's path where it holds nothing that is saved, else the buffer's own."""
    module = name.rpartition(".")[0]
    holds = not module or any(each.startswith(f"{module}.") for each in state)
    return path if holds else path.rpartition(".")[0]


def needs_place(model, name):
    """
    Whether the module that owns it reads it where it is: not where what is read is moved at once (`.to(x.device)`), and not in a module with weights and
    no others below it, which a map always places.
    """
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    is_placed = path and not any(True for _ in module.children()) and (any(True for _ in module.parameters()) or len(module._buffers) > len(module._non_persistent_buffers_set))
    return not is_placed and not brings(type(module), leaf)


@functools.lru_cache(None)
def brings(cls, leaf):
    for function in (each for base in cls.__mro__ for each in vars(base).values()):
        if not inspect.isfunction(function) or function.__name__ == "__init__" or not (function.__module__ or "").startswith("transformers."):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except (OSError, SyntaxError):
            return False
        for statement in (each for each in ast.walk(tree) if isinstance(each, ast.stmt) and not hasattr(each, "body")):
            reads = any(isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Load) and chain_of(each)[:1] == [leaf] for each in ast.walk(statement))
            moved = any(isinstance(each, ast.Call) and getattr(each.func, "attr", "") == "to" and "device" in ast.unparse(each) for each in ast.walk(statement))
            if reads and not moved:
                return False
    return True
