"""The table of models as text, and back: src/planner/models/read-model-table.ts reads the same.

JSON of rows, in which numbers are of base 36 and refer to rows of another field:

  words       the names of tensors and modules, and paths of modules without weights, the most used first
  nodes       "flags|tensors|children" or "flags|tensors|children|empty": a tensor is "word" or "word:marks", a child "word:node", a module
              without weights "word"; flags are u and w, or w=part in a list of which those members stay whole that hold this part
  transforms  "kind source source > target target"; "kind@scope" where it applies to a part only
  renames     lists of transforms; legacy is one more, which applies to every class
  ties        pairs of tied name and the one that it follows; a list of numbers for each of `tiedSets`
  ignored     lists of patterns
  unsaved     "name unit factor factor" of a buffer that no file holds, as scripts/unsaved_buffers.py describes it
  counted     "path field" of a list and its lesser ends, as scripts/counted_lists.py describes it
  pictures    "height width path factor path factor" of a class that runs once over a picture, as scripts/picture_peaks.py describes it
  roles       use, base model's prefix, decoder, head ("-" for none), when a class ties that has ties (`tying_of` in
              scripts/model-table.py), "encodes", "eager", "logits", and "keeps"
  classes     "name root role renames ties ignored unsaved counted pictures", "-" for none; those of unsaved and counted are numbers with commas between
  types       "model_type class class"
"""

import json
from collections import Counter

MARKS = ("encodes", "eager", "logits", "keeps")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def number(value):
    digits = ""
    while True:
        value, digit = divmod(value, 36)
        digits = DIGITS[digit] + digits
        if value == 0:
            return digits


class Pool:
    """Rows by their content: equal ones have one number."""

    def __init__(self):
        self.rows, self.index = [], {}

    def add(self, row):
        key = json.dumps(row)
        if key not in self.index:
            self.index[key] = number(len(self.rows))
            self.rows.append(row)
        return self.index[key]


def encode(table):
    """`table`: transformers, legacy, nodes, classes (name -> use, root, prefix, decoder, head, renames, ignored, unsaved, counted, pictures, ties, tying, encodes, eager, logits, keeps), types."""
    split = [[part.split() for part in row.split("|")] for row in table["nodes"]]
    counts = Counter(word.partition(":")[0] for _, *held in split for part in held for word in part)
    words = {word: number(i) for i, (word, _) in enumerate(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))}

    def coded(word, of_node):
        name, colon, rest = word.partition(":")
        return words[name] + colon + (number(int(rest)) if of_node else rest)

    def coded_node(flags, tensors, children, *empty):
        known = [" ".join(coded(word, False) for word in words_of) for words_of in empty]
        return "|".join(["".join(flags), " ".join(coded(word, False) for word in tensors), " ".join(coded(word, True) for word in children), *known])

    nodes = [coded_node(*parts) for parts in split]
    transforms, renames, ties, tied_sets, ignored, unsaved, counted, pictures, roles = (Pool() for _ in range(9))
    lists = lambda rows: " ".join(transforms.add(transform_row(row)) for row in rows)
    legacy = lists(table["legacy"])
    classes, numbers = [], {}
    for name, entry in sorted(table["classes"].items()):
        marks = [*([entry["tying"]] if "tying" in entry else []), *(mark for mark in MARKS if mark in entry)]
        role = roles.add(" ".join([entry["use"], *(entry.get(key) or "-" for key in ("prefix", "decoder", "head")), *marks]))
        numbers[name] = number(len(classes))
        own = [
            renames.add(lists(entry["renames"])) if "renames" in entry else "-",
            tied_sets.add(" ".join(ties.add(f"{a} {b}") for a, b in entry["ties"].items())) if "ties" in entry else "-",
            ignored.add(entry["ignored"]) if "ignored" in entry else "-",
            ",".join(map(unsaved.add, entry["unsaved"])) if "unsaved" in entry else "-",
            ",".join(map(counted.add, entry["counted"])) if "counted" in entry else "-",
            pictures.add(entry["pictures"]) if "pictures" in entry else "-",
        ]
        classes.append(" ".join([name, number(entry["root"]), role, *own]))
    types = [" ".join([kind, *(numbers[name] for name in found)]) for kind, found in sorted(table["types"].items()) if found]
    dump = lambda value: json.dumps(value, separators=(",", ":"))
    fields = dict(transformers=table["transformers"], words=" ".join(words), legacy=legacy)
    rows = dict(nodes=nodes, transforms=transforms.rows, renames=renames.rows, ties=ties.rows, tiedSets=tied_sets.rows, ignored=ignored.rows, unsaved=unsaved.rows, counted=counted.rows, pictures=pictures.rows, roles=roles.rows, classes=classes, types=types)
    lines = [f'"{key}":{dump(value)}' for key, value in fields.items()]
    lines += [f'"{key}":[\n' + ",\n".join(map(dump, values)) + "\n]" for key, values in rows.items()]
    text = "{" + ",\n".join(lines) + "}"
    assert "`" not in text and "${" not in text
    return text


def transform_row(row):
    kind, sources, targets, *scope = row
    parts = [*sources, *targets, *scope]
    if any(" " in part for part in parts) or ">" in parts or not sources or not targets:
        raise ValueError(f"no row can hold {row}")
    return "".join([kind, *(f"@{part}" for part in scope), " ", " ".join(sources), " > ", " ".join(targets)])


def decode(text):
    """What `encode` was given; a node as its row, with words and decimal numbers."""
    table = json.loads(text)
    words = table["words"].split()
    word = lambda digits: words[int(digits, 36)]

    def node(row):
        flags, tensors, children, *empty = row.split("|")
        held = [word(name) + colon + marks for name, colon, marks in (each.partition(":") for each in tensors.split())]
        below = [f"{word(name)}:{int(child, 36)}" for name, _, child in (each.partition(":") for each in children.split())]
        return "|".join([flags, " ".join(held), " ".join(below), *(" ".join(map(word, each.split())) for each in empty)])

    def transform(digits):
        head, _, rest = table["transforms"][int(digits, 36)].partition(" ")
        kind, at, scope = head.partition("@")
        sources, _, targets = rest.partition(" > ")
        return [kind, sources.split(" "), targets.split(" "), *([scope] if at else [])]

    def entry(root, role, renames, ties, ignored, unsaved, counted, pictures):
        use, prefix, decoder, head, *marks = table["roles"][int(role, 36)].split()
        known = {key: value for key, value in (("prefix", prefix), ("decoder", decoder), ("head", head)) if value != "-"}
        if renames != "-":
            known["renames"] = [transform(digits) for digits in table["renames"][int(renames, 36)].split()]
        if ties != "-":
            known["ties"] = dict(table["ties"][int(digits, 36)].split() for digits in table["tiedSets"][int(ties, 36)].split())
        if ignored != "-":
            known["ignored"] = table["ignored"][int(ignored, 36)]
        if unsaved != "-":
            known["unsaved"] = [table["unsaved"][int(digits, 36)] for digits in unsaved.split(",")]
        if counted != "-":
            known["counted"] = [table["counted"][int(digits, 36)] for digits in counted.split(",")]
        if pictures != "-":
            known["pictures"] = table["pictures"][int(pictures, 36)]
        tying = {"tying": mark for mark in marks if mark not in MARKS}
        return {"use": use, "root": int(root, 36), **known, **tying, **{mark: True for mark in MARKS if mark in marks}}

    split = [row.split() for row in table["classes"]]
    return {
        "transformers": table["transformers"],
        "legacy": [transform(digits) for digits in table["legacy"].split()],
        "nodes": [node(row) for row in table["nodes"]],
        "classes": {name: entry(*rest) for name, *rest in split},
        "types": {kind: [split[int(digits, 36)][0] for digits in found] for kind, *found in (row.split() for row in table["types"])},
    }


def committed(path):
    """The table of a TypeScript file that holds it."""
    source = open(path).read()
    return source[source.index("`") + 1 : source.rindex("`")]
