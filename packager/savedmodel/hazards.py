"""What in a graph makes a server answer otherwise than its author expects, though it can run it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packager.savedmodel.reach import Node, Reach
from packager.values import Finding, Severity

_TABLES = ("HashTable", "HashTableV2")
"""Tables that fail each lookup until an initialiser has filled them."""
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")

_DEVICES = re.compile(r"gpu|tpu", re.IGNORECASE)

_RULES: tuple[tuple[str, Severity, re.Pattern[str], str], ...] = (
    (
        "random-op",
        Severity.WARNING,
        re.compile(
            r"Random(Uniform|UniformInt|StandardNormal|Gamma|Poisson|PoissonV2|Shuffle|Crop)|TruncatedNormal"
            r"|ParameterizedTruncatedNormal|Multinomial|Stateful(Uniform|StandardNormal|Truncated|Random).*|Rng.*Skip"
        ),
        "the same request is answered otherwise each time",
    ),
    (
        "writes-state",
        Severity.WARNING,
        re.compile(
            r"Assign(Add|Sub)?(VariableOp)?|Resource(Scatter|Apply).*|Scatter(Add|Sub|Update)|LookupTableInsert.*"
        ),
        "a request changes what later ones are answered, those of other clients too",
    ),
    (
        "file-op",
        Severity.WARNING,
        re.compile(r"(Read|Write)File|MatchingFiles|Save(V2|Slices)?|Restore(V2|Slice)?|.*RecordReader.*"),
        "a request reads or writes the server's files, and containers are read-only",
    ),
    (
        "old-control-flow",
        Severity.NOTE,
        re.compile(r"Ref(Enter|Exit|Switch|Merge)|Enter|Exit|Switch|Merge|NextIteration"),
        "control flow of TensorFlow 1, which servers optimise less",
    ),
    (
        "loop",
        Severity.NOTE,
        re.compile(r"(Stateless)?While"),
        "how often it runs may depend on the request, and so does the time it takes",
    ),
    (
        "assertion",
        Severity.NOTE,
        re.compile(r"Assert"),
        "a request that breaks it fails as a whole, with all that was batched with it",
    ),
)


def hazards(reach: Reach) -> Iterator[Finding]:
    """Yield the hazards: resources that nothing fills, and what the signatures do beside computing."""
    yield from _unfilled(reach)
    for key, nodes in reach.serving.items():
        for rule, severity, pattern, why in _RULES:
            yield from _found(key, rule, severity, [n for n in nodes if pattern.fullmatch(n.op)], why)
        placed = [node for node in nodes if _DEVICES.search(node.device)]
        yield from _found(
            key, "device", Severity.WARNING, placed, "it was placed on a device of its exporter's"
        )


def _found(key: str, rule: str, severity: Severity, nodes: Iterable[Node], why: str) -> Iterator[Finding]:
    """Yield one finding for each operation and layer of a signature."""
    for layer, op in sorted({(node.layer, node.op) for node in nodes}):
        message = f"operation {op!r} in {key!r}: {why}"
        yield Finding(rule=rule, severity=severity, path=layer or op, message=message, layer=layer)


def _unfilled(reach: Reach) -> Iterator[Finding]:
    """Yield tables without an initialiser, and variables that nothing restores or initialises."""
    filled = (*reach.initialising, *reach.restoring)
    names = {node.name for node in filled} | {node.resource for node in filled if node.resource}
    told: set[str] = set()
    for key, nodes in reach.serving.items():
        for node in nodes:
            kind = "table" if node.op in _TABLES else "variable" if node.op in _VARIABLES else ""
            if not kind or node.name in told or node.name in names or node.resource in names:
                continue
            told.add(node.name)
            yield Finding(
                rule=f"empty-{kind}",
                severity=Severity.ERROR,
                path=node.layer or node.name,
                layer=node.layer,
                message=f"nothing fills the {kind} {(node.resource.decode() or node.name)!r} of {key!r} when "
                "the model is loaded: attach it to what is saved",
            )
