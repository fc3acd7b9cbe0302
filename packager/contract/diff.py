"""Compares two contracts as a client sees them: what changed, and which changes break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from packager.contract.calls import interface_of
from packager.values import ContractChange, Shape, Signature, TensorSpec

_GRPC_TYPES = "gRPC clients send the type that was promised, and servers convert nothing"


def changes_between(old: Sequence[Signature], new: Sequence[Signature]) -> tuple[ContractChange, ...]:
    """Return what a client of ``old`` meets in ``new``, the breaking changes first."""
    before, after = ({signature.key: signature for signature in side} for side in (old, new))
    changes = [*_signatures(before, after)]
    for key in before.keys() & after.keys():
        changes += _Comparison(before[key], after[key]).changes()
    return tuple(sorted(changes, key=lambda c: (not c.breaking, c.signature, c.subject, c.name)))


def _signatures(before: Mapping[str, Signature], after: Mapping[str, Signature]) -> Iterator[ContractChange]:
    gone, come = _unpaired(before, after)
    for old, new in _renamed(gone, come, _same_interface):
        yield _signature("renamed", old, old, new, "requests name the signature that they are for")
    for key in sorted(gone.keys()):
        yield _signature("removed", key, key, "", "requests to it are refused")
    for key in sorted(come.keys()):
        yield _signature("added", key, "", key, "")


def _same_interface(one: Signature, other: Signature) -> bool:
    return (one.method, one.inputs, one.outputs) == (other.method, other.inputs, other.outputs)


def _signature(kind: str, key: str, before: str, after: str, why: str) -> ContractChange:
    return ContractChange(
        kind=kind,
        subject="signature",
        signature=key,
        name=key,
        before=before,
        after=after,
        breaking=kind != "added",
        why=why,
    )


class _Comparison:
    """One signature, then and now."""

    def __init__(self, old: Signature, new: Signature) -> None:
        self._old, self._new = old, new

    def changes(self) -> Iterator[ContractChange]:
        old, new = interface_of(self._old.method), interface_of(self._new.method)
        if old != new:
            why = f"it is asked by :{new}, and clients ask by :{old}"
            yield _signature("method", self._old.key, old, new, why)
        yield from self._tensors("input", self._old.inputs, self._new.inputs)
        yield from self._tensors("output", self._old.outputs, self._new.outputs)

    def _tensors(
        self, side: str, old: Sequence[TensorSpec], new: Sequence[TensorSpec]
    ) -> Iterator[ContractChange]:
        before, after = ({spec.name: spec for spec in specs} for specs in (old, new))
        gone, come = _unpaired(before, after)
        for left, entered in _renamed(gone, come, _same_tensor):
            why = "requests with the old name are refused" if side == "input" else _RENAMED_OUTPUT
            yield self._change("renamed", side, before[left], after[entered], why)
        for spec in gone.values():
            why = (
                "requests that send it are refused"
                if side == "input"
                else "clients that read it find nothing"
            )
            yield self._change("removed", side, spec, None, why)
        for spec in come.values():
            yield self._change("added", side, None, spec, self._why_added(side, len(old)))
        for name in sorted(before.keys() & after.keys()):
            yield from self._same_name(side, before[name], after[name])

    def _same_name(self, side: str, old: TensorSpec, new: TensorSpec) -> Iterator[ContractChange]:
        if old.dtype != new.dtype:
            why = _GRPC_TYPES if side == "input" else "clients read the type that was promised"
            yield self._change("retyped", side, old, new, why)
        if old.shape != new.shape:
            yield self._change("reshaped", side, old, new, _why_reshaped(side, old.shape, new.shape))

    @staticmethod
    def _why_added(side: str, before: int) -> str:
        if side == "input":
            return "requests without it are refused"
        return (
            "REST names outputs only where there are several, so every answer is another"
            if before == 1
            else ""
        )

    def _change(
        self, kind: str, side: str, old: TensorSpec | None, new: TensorSpec | None, why: str
    ) -> ContractChange:
        named: Any = old or new
        return ContractChange(
            kind=kind,
            subject=side,
            signature=self._old.key,
            name=named.name,
            before=str(old or ""),
            after=str(new or ""),
            breaking=bool(why),
            why=why,
        )


_RENAMED_OUTPUT = "clients read it by its name, over gRPC and wherever there are several"


def _why_reshaped(side: str, old: Shape, new: Shape) -> str:
    """Return why clients break: inputs must take what they took, outputs keep what was promised."""
    if len(old) != len(new):
        return "it has another number of dimensions"
    wide, narrow = (new, old) if side == "input" else (old, new)
    if all(free is None or free == size for free, size in zip_longest(wide, narrow)):
        return ""
    return (
        "sizes that were taken are refused" if side == "input" else "it comes in sizes that were not promised"
    )


def _unpaired(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {name: value for name, value in before.items() if name not in after},
        {name: value for name, value in after.items() if name not in before},
    )


def _same_tensor(one: TensorSpec, other: TensorSpec) -> bool:
    return (one.dtype, one.shape) == (other.dtype, other.shape)


def _renamed(
    gone: dict[str, Any], come: dict[str, Any], same: Callable[[Any, Any], bool]
) -> list[tuple[str, str]]:
    """Take pairs out of both that are alike but for the name, and like nothing else there."""
    pairs = []
    for name, value in list(gone.items()):
        fitting = [other for other, found in come.items() if same(value, found)]
        rivals = [other for other, found in gone.items() if same(found, value)]
        if len(fitting) == 1 and len(rivals) == 1:
            pairs.append((name, fitting[0]))
    for old, new in pairs:
        del gone[old], come[new]
    return pairs
