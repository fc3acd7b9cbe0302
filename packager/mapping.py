"""The mapping file: which dataset goes into which variable, written down where names do not settle it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packager.errors import OutputError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_EXAMPLE = 'write "dense/kernel" = "/layers/dense/vars/0" below [variables]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a variable's numbers come from: a dataset or a part of it, turned as the variable wants it."""

    dataset: str
    part: tuple[slice | int, ...] = ()
    """What to take of each axis, taken first: a number takes the axis away; none is the whole."""
    reshape: tuple[int, ...] = ()
    """Shape to read the numbers in, row by row, applied second; none leaves it."""
    transpose: tuple[int, ...] = ()
    """Order of the axes, applied third; none leaves them."""
    flip: tuple[int, ...] = ()
    """Axes to reverse, applied last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightMapping:
    """What a mapping file settles; what it does not name is matched by name."""

    variables: Mapping[str, Source] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    """Datasets that are no weights."""


NO_MAPPING = WeightMapping()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A line of a mapping file to start from."""

    variable: str
    shape: tuple[int, ...]
    source: Source | None
    """``None`` where nothing in the file fits."""
    how: str
    """What it was matched by."""
    sure: bool


def read_document(path: Path) -> dict[str, Any]:
    """Parse a TOML file that somebody wrote, or raise UsageError."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read {os.fspath(path)!r}: {error.strerror}", hint="check the path"
        ) from error
    except (ValueError, RecursionError) as error:  # of TOML or UTF-8, or nested without end
        raise UsageError(
            f"{os.fspath(path)!r} is not TOML: {error}", hint="quote names: they hold '/'"
        ) from error
    return document


def read_mapping(path: Path) -> WeightMapping:
    """Read a mapping file, or raise UsageError."""
    document = read_document(path)
    if unknown := document.keys() - {"variables", "unused"}:
        raise UsageError(f"{os.fspath(path)!r} has an unknown key {min(unknown)!r}", hint=_EXAMPLE)
    variables, unused = document.get("variables", {}), document.get("unused", [])
    if not isinstance(variables, dict) or not isinstance(unused, list):
        raise UsageError(f"{os.fspath(path)!r}: variables is a table, unused is a list", hint=_EXAMPLE)
    return WeightMapping(
        variables={name: _source(name, value) for name, value in variables.items()},
        unused=tuple(_absolute(str(name)) for name in unused),
    )


def _source(variable: str, value: Any) -> Source:
    entry = {"dataset": value} if isinstance(value, str) else value
    if not isinstance(entry, dict) or not isinstance(entry.get("dataset"), str):
        raise UsageError(f"variable {variable!r} names no dataset", hint=_EXAMPLE)
    if unknown := entry.keys() - {"dataset", "slice", "reshape", "transpose", "flip"}:
        raise UsageError(
            f"variable {variable!r} has an unknown key {min(unknown)!r}",
            hint="the keys are dataset, slice, reshape, transpose and flip",
        )
    return Source(
        dataset=_absolute(entry["dataset"]),
        part=_slices(variable, entry.get("slice", "")),
        reshape=_axes(variable, entry.get("reshape", [])),
        transpose=_axes(variable, entry.get("transpose", [])),
        flip=_axes(variable, entry.get("flip", [])),
    )


def _absolute(dataset: str) -> str:
    return f"/{dataset.strip('/')}"


def _slices(variable: str, text: Any) -> tuple[slice | int, ...]:
    """Parse ``"0:784, :"``: for each axis a number, or from and to as in Python, without a step."""
    try:
        return tuple(map(_slice, str(text).split(","))) if text or text == 0 else ()
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"variable {variable!r} has an invalid slice {text!r}",
            hint='write slice = "0:784, :", or "2" for the third part of the first axis',
        ) from error


def _slice(piece: str) -> slice | int:
    ends = [int(end) if end.strip() else None for end in piece.split(":")]
    if len(ends) == 1 and ends[0] is not None:
        return ends[0]
    if len(ends) != 2:
        raise ValueError(piece)
    return slice(*ends)


def _axes(variable: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(axis) is int and axis >= 0 for axis in value):
        raise UsageError(
            f"variable {variable!r} has invalid axes {value!r}", hint="a list of numbers: transpose = [1, 0]"
        )
    return tuple(value)


def slice_text(part: Iterable[slice | int]) -> str:
    """Write what is taken of each axis as a mapping file does."""
    return ", ".join(map(_piece, part))


def _piece(piece: slice | int) -> str:
    if isinstance(piece, int):
        return str(piece)
    return ":".join("" if end is None else str(end) for end in (piece.start, piece.stop))


def write_proposal(proposals: Iterable[Proposal], left_over: Iterable[tuple[str, tuple[int, ...]]]) -> str:
    """Write a mapping file to start from: every guess is marked, and what fits nowhere is a comment."""
    rest = dict(left_over)
    lines = [
        "# Which dataset goes into which variable. Check what is marked as a guess.",
        '# A part of a dataset:  "dense/kernel" = { dataset = "/w", slice = "0:784, :", transpose = [1, 0] }',
        "# Datasets that are no weights:  unused = [...], above [variables].",
        *(["#", "# Nothing here takes these datasets:"] if rest else []),
        *(f"#   {dataset} {_shape(shape)}" for dataset, shape in rest.items()),
        *(["# Where they are no weights, take this for an answer:", _unused(rest)] if rest else []),
        "",
        "[variables]",
        *map(_line, proposals),
    ]
    return "\n".join(lines) + "\n"


def _unused(datasets: Iterable[str]) -> str:
    return f"# unused = {json.dumps(list(datasets))}"


def _line(proposal: Proposal) -> str:
    variable = json.dumps(proposal.variable)
    if proposal.source is None:
        return f'# {variable} = ""  # {_shape(proposal.shape)}: {proposal.how}'
    remark = proposal.how if proposal.sure else f"guess, {proposal.how}"
    return f"{variable} = {_source_text(proposal.source)}  # {_shape(proposal.shape)}: {remark}"


def _source_text(source: Source) -> str:
    turns = {"reshape": source.reshape, "transpose": source.transpose, "flip": source.flip}
    entries = [f"slice = {json.dumps(slice_text(source.part))}"] if source.part else []
    entries += [f"{key} = {list(axes)}" for key, axes in turns.items() if axes]
    dataset = json.dumps(source.dataset)
    return f"{{ {', '.join([f'dataset = {dataset}', *entries])} }}" if entries else dataset


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def write_mapping(path: Path, text: str) -> None:
    """Write a mapping file, or raise OutputError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"cannot write {os.fspath(path)!r}: {error.strerror}",
            hint="--output FILE, in a folder that exists",
        ) from error
