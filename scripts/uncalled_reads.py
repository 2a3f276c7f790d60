"""Modules whose parameters others read without calling them, by the source of transformers' classes: no hook brings those to the GPU.

`uncalled(model)` gives their paths. Calls of another method than forward are such reads, too: hooks are on forward alone. A read counts where every
call of `forward` makes it: under a condition that arguments decide, such as `input_boxes is not None`, it counts where the module is small and in no
list, so that its place costs next to nothing. Not what `force_accelerate_hooks` brings; not of a dtype or a shape. That of a device counts: it is none.
"""

import ast
import functools
import inspect
import re
import sys
import textwrap

DESCRIBES = {"dtype", "shape", "size", "ndim", "dim", "numel", "requires_grad", "stride", "element_size"}
UNKNOWN = object()
# Where arguments decide (the first layer, decoding), another of its methods is called, or a method is handed the module: as executed.
BIASES = ["rel_pos_bias", "rel_pos_x_bias", "rel_pos_y_bias"]
BY_ARGUMENTS = {
    "WavLMAttention": ["rel_attn_embed"],
    "RecurrentGemmaRecurrentBlock": ["conv_1d"],
    "JetMoeAttention": ["experts"],
    "LayoutLMv3Encoder": BIASES,
    "PPDocLayoutV2ReadingOrderEncoder": BIASES,
}
# The same, but as a part of models that make the argument themselves: tokens go to where the table is.
UNLESS_A_PART = {"Llama4TextModel": ["embed_tokens"]}
# Arguments that are off unless they are asked for.
OPTIONS = {"interpolate_pos_encoding"}
# Elements of a module that may as well stay.
CHEAP = 5_000_000


def uncalled(model):
    for path, module in model.named_modules():
        alone = UNLESS_A_PART.get(type(module).__name__, []) if "." not in path else []
        for name in [*BY_ARGUMENTS.get(type(module).__name__, []), *alone]:
            if hasattr(module, name):
                yield f"{path}.{name}".strip(".")
        for (*names, parameter), tests in reads_of(type(module)):
            answers = [(truth(module, test), wanted) for test, wanted in tests]
            if any(answer is not None and answer is not wanted for answer, wanted in answers):
                continue
            for name, read in followed(module, names):
                whole = f"{path}.{name}".strip(".")
                is_cheap = read_elements(read) <= CHEAP and not any(part.isdigit() for part in whole.split(".")[:-1])
                if any(answer is None for answer, _ in answers) and not is_cheap:
                    continue
                # What stands beside modules has a place of its own, and stays.
                stands_alone = not any(True for child in read.children() for _ in child.parameters())
                own = {each for each, tensor in read._parameters.items() if tensor is not None}
                if name and stands_alone and own & ({parameter} | loaded_by(type(read), parameter, frozenset(own))):
                    yield whole


def read_elements(module):
    return sum(each.numel() for each in module.parameters())


def followed(module, names):
    """The modules behind `self.a.b`, "*" being each of a list."""
    found = [("", module)]
    for name in names:
        found = [(f"{path}.{part}".strip("."), child) for path, each in found for part, child in each.named_children() if name in (part, "*")]
    return found


@functools.lru_cache(None)
def reads_of(cls):
    """Chains `self.a.b.c` that a call of forward loads, with the tests above each and what they have to be."""
    found, waiting, seen = [], [("forward", ())], set()
    while waiting:
        name, above = waiting.pop()
        function = inspect.getattr_static(cls, name, None)
        if name in seen or not inspect.isfunction(function) or not (function.__module__ or "").startswith("transformers.models"):
            continue
        seen.add(name)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        brought = {each.value for each in ast.walk(ast.Tuple(tree.decorator_list)) if isinstance(each, ast.Constant)}
        for statement in tree.body:
            for chain, tests in chains(statement, above):
                if len(chain) == 1:
                    waiting.append((chain[0], tests))
                elif chain[0] not in brought:
                    found.append((chain, tests))
    return found


@functools.lru_cache(None)
def loaded_by(cls, method, own):
    """Which of its own parameters a module loads where a method of it is called that is not its forward; all where that is one of torch's."""
    found, waiting, seen = set(), [method], {"forward"}
    while waiting:
        name = waiting.pop()
        function = inspect.getattr_static(cls, name, None)
        if name in seen or not inspect.isfunction(function) or not (function.__module__ or "").startswith("transformers.models"):
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "super":
                found |= own
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                chain = chain_of(node)
                if not DESCRIBES & set(chain):
                    found |= own & set(chain[:1])
                    waiting += chain[:1]
    return found


def chains(node, tests):
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "hasattr"):
        return
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        chain = chain_of(node)
        if chain:
            if not DESCRIBES & set(chain):
                yield from ((chain[:length], tests) for length in range(1, len(chain) + 1))
            return
    if isinstance(node, (ast.If, ast.IfExp)):
        yield from chains(node.test, tests)
        for part, wanted in ((node.body, True), (node.orelse, False)):
            for each in part if isinstance(part, list) else [part]:
                yield from chains(each, (*tests, (node.test, wanted)))
        return
    for each in ast.iter_child_nodes(node):
        yield from chains(each, tests)


def chain_of(node):
    parts = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        parts.insert(0, node.attr if isinstance(node, ast.Attribute) else "*")
        node = node.value
    return parts if isinstance(node, ast.Name) and node.id == "self" else []


def truth(module, test):
    """What a test is that a module decides by its own settings; None for another."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        negated = truth(module, test.operand)
        return None if negated is None else not negated
    if isinstance(test, ast.Name) and test.id in OPTIONS and not asks_for(sys.modules[type(module).__module__], test.id):
        return False
    if isinstance(test, ast.BoolOp):
        each = [truth(module, value) for value in test.values]
        decides = isinstance(test.op, ast.Or)
        return decides if decides in each else None if None in each else not decides
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Is, ast.IsNot)) and getattr(test.comparators[0], "value", UNKNOWN) is None:
        value = setting(module, test.left)
        return None if value is UNKNOWN else (value is None) == isinstance(test.ops[0], ast.Is)
    value = setting(module, test)
    return bool(value) if isinstance(value, (bool, int, float, str, type(None))) else None


@functools.lru_cache(None)
def asks_for(source, option):
    """Whether a module of Python turns the option on, by default or in a call."""
    return re.search(option + r"(: bool)? ?= ?True", inspect.getsource(source)) is not None


def setting(module, node):
    chain = chain_of(node)
    if chain == ["training"]:
        return False
    if not chain or "*" in chain or "training" in chain:
        return UNKNOWN
    for name in chain:
        module = getattr(module, name, UNKNOWN)
    return module
