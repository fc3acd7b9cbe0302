"""Lambda layers: what is made of each before Keras sees the architecture.

One that only scales and shifts becomes a Rescaling layer. One that the user names a function for gets that.
Any other is refused, unless the user allows its bytecode to be run: then it stays, for the loader to run.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packager.errors import UsageError
from packager.h5 import rules
from packager.h5.affine import Affine, read_affine
from packager.h5.bytecode import describe_bytecode, read_bytecode
from packager.h5.config import Json, Node, as_list, as_object, config_of, walk
from packager.h5.rules import quote
from packager.values import Finding, lambda_name

LAMBDA_CLASSES = ("Lambda", "MaskedLambda")
_KEPT = ("name", "trainable", "dtype", "batch_input_shape", "input_dtype")
_LONGEST_AFFINE = 4096
_MOST_LAMBDAS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaTrust:
    """What the user answers for: functions that they supply, and bytecode that they allow to run."""

    functions: Mapping[str, str]
    """``module:function`` by the name of the layer."""
    bytecode: bool

    def settles(self, node: Node) -> bool:
        """Tell whether a layer's functions are replaced by one of the user's."""
        return is_lambda(node) and node.layer in self.functions


NO_TRUST = LambdaTrust(functions={}, bytecode=False)


def is_lambda(node: Node) -> bool:
    """Tell whether an object of a config is a Lambda layer."""
    return node.class_name in LAMBDA_CLASSES


def stored_code(stored: Json) -> str | None:
    """Return the text of bytecode as any Keras stores it: with defaults and closure, or alone."""
    if isinstance(stored, dict):
        inner = config_of(stored)
        stored = inner.get("code", inner.get("value"))
    text = stored if isinstance(stored, str) else next(iter(as_list(stored)), None)
    return text if isinstance(text, str) else None


def affine_lambda(node: Node) -> Affine | None:
    """Return what a Lambda layer computes where that is sure, and is only to scale and to shift."""
    config = node.config
    if not is_lambda(node) or config.get("arguments") or config.get("mask"):
        return None
    bound = [config_of(config.get("function")).get(key) for key in ("defaults", "closure")]
    bound += as_list(config.get("function"))[1:]
    text = stored_code(config.get("function"))
    is_code = config.get("function_type") == "lambda" or as_object(config.get("function")).get("class_name")
    if not is_code or any(bound) or text is None or len(text) > _LONGEST_AFFINE:
        return None
    bytecode = read_bytecode(text)
    return read_affine(bytecode) if bytecode else None


def settle_lambdas(config: Mapping[str, Json], trust: LambdaTrust) -> dict[str, Json]:
    """Return the architecture with every Lambda layer replaced that is to be.

    Raises UsageError where a function is supplied for a layer that is none.
    """
    names = [node.layer for node in walk(dict(config), "") if is_lambda(node)]
    if unknown := trust.functions.keys() - set(names):
        raise UsageError(
            f"no Lambda layer {min(unknown)!r} to replace",
            hint=f"this model has {', '.join(map(repr, names)) or 'none'}",
        )
    if len(names) > _MOST_LAMBDAS:
        return dict(config)
    settled: dict[str, Json] = _settled(config, trust)
    return settled


def describe_lifted(nodes: Iterable[Node], trust: LambdaTrust) -> Iterator[Finding]:
    """Yield a note for each Lambda layer that is read as a Rescaling layer."""
    lambdas = [node for node in nodes if is_lambda(node)]
    for node in lambdas if len(lambdas) <= _MOST_LAMBDAS else ():
        if not trust.settles(node) and (affine := affine_lambda(node)):
            what = describe_bytecode(read_bytecode(stored_code(node.config.get("function")) or ""))
            yield rules.AFFINE_LAMBDA.at(
                f"{node.path}/config/function",
                f"layer {quote(node.layer)} holds {what}; it was not executed, and is rebuilt as a Rescaling "
                f"layer: {affine.scale:.6g} * x {'-' if affine.offset < 0 else '+'} {abs(affine.offset):.6g}",
                layer=node.layer,
            )


def _settled(value: Json, trust: LambdaTrust) -> Any:
    if isinstance(value, list):
        return [_settled(item, trust) for item in value]
    if not isinstance(value, dict):
        return value
    node = Node.of(value)
    if is_lambda(node) and trust.settles(node):
        return {**value, **_named(node)}
    if affine := affine_lambda(node):
        return {**value, **_rescaling(node, affine)}
    return {key: _settled(inner, trust) for key, inner in value.items()}


def _rescaling(node: Node, affine: Affine) -> dict[str, Json]:
    kept = {key: node.config[key] for key in _KEPT if key in node.config}
    return {
        "class_name": "Rescaling",
        "config": {**kept, "scale": affine.scale, "offset": affine.offset},
    }


def _named(node: Node) -> dict[str, Json]:
    """Return a Lambda layer whose function is known by a name, which the loader is told with the function."""
    kept = {key: node.config[key] for key in (*_KEPT, "arguments") if key in node.config}
    name = lambda_name(node.layer)
    if "function_type" in node.config:  # Keras 1 and 2
        types = {"function_type": "function", "output_shape": None, "output_shape_type": "raw"}
        return {"class_name": "Lambda", "config": {**kept, "function": name, **types}}
    function = {"class_name": "function", "config": name, "module": "builtins", "registered_name": "function"}
    return {"class_name": "Lambda", "config": {**kept, "function": function}}


def lambda_hint(errors: Iterable[Finding]) -> str | None:
    """Return what to type where bytecode is all that was refused, ``None`` where it is not."""
    layers = [error.layer if error.rule == rules.LAMBDA.id else "" for error in errors]
    if not all(layers):
        return None
    return " ".join(f"--lambda {shlex.quote(f'{layer}=module:function')}" for layer in dict.fromkeys(layers))


def is_function_name(name: str) -> bool:
    """Tell whether a name stands for a Lambda layer's function, which comes with the layer."""
    return name.startswith(lambda_name(""))
