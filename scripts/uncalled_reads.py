"""Modules whose parameters others read without calling them, by the source of transformers' classes: no hook brings those to the GPU.

`uncalled(model)` gives their paths. A read counts where every call of `forward` makes it: not under a condition that the module itself does not
decide, such as `self.relative_attention`; not what `force_accelerate_hooks` brings; not of a dtype or a shape. That of a device counts: it is none.
"""

import ast
import functools
import inspect
import textwrap

DESCRIBES = {"dtype", "shape", "size", "ndim", "dim", "numel", "requires_grad", "stride", "element_size"}
UNKNOWN = object()
# Where arguments decide (the first layer, decoding), or another of its methods is called: as executed.
BY_ARGUMENTS = {"WavLMAttention": ["rel_attn_embed"], "RecurrentGemmaRecurrentBlock": ["conv_1d"], "JetMoeAttention": ["experts"]}


def uncalled(model):
    for path, module in model.named_modules():
        for name in BY_ARGUMENTS.get(type(module).__name__, []):
            if hasattr(module, name):
                yield f"{path}.{name}".strip(".")
        for (*names, parameter), tests in reads_of(type(module)):
            if all(truth(module, test) is wanted for test, wanted in tests):
                for name, read in followed(module, names):
                    # What stands beside modules has a place of its own, and stays.
                    stands_alone = not any(True for child in read.children() for _ in child.parameters())
                    if name and stands_alone and read._parameters.get(parameter) is not None:
                        yield f"{path}.{name}".strip(".")


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
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Is, ast.IsNot)) and getattr(test.comparators[0], "value", UNKNOWN) is None:
        value = setting(module, test.left)
        return None if value is UNKNOWN else (value is None) == isinstance(test.ops[0], ast.Is)
    value = setting(module, test)
    return bool(value) if isinstance(value, (bool, int, float, str, type(None))) else None


def setting(module, node):
    chain = chain_of(node)
    if not chain or "*" in chain or "training" in chain:
        return UNKNOWN
    for name in chain:
        module = getattr(module, name, UNKNOWN)
    return module
