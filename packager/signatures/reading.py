"""From a declaration's TOML to its values: every key known, every value of its kind, or a precise error."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from packager.errors import SignatureError, UsageError
from packager.signatures.declaration import SIGNATURES, Declaration, InputDeclaration, OutputDeclaration
from packager.signatures.files import read_numbers, read_words
from packager.signatures.steps import STEPS, Step

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT_FILE = "packager.toml"
"""Of the current folder: a declaration for each model, ``[models.NAME]``."""

T = TypeVar("T")


def read_declaration(file: Path, *, model_file: Path) -> Declaration:
    """Read a declaration; files that it names lie beside it, datasets in ``model_file``.

    Raises UsageError where it is no TOML, SignatureError where it says what cannot be.
    """
    return parse_declaration(_document(file), folder=file.parent, model_file=model_file)


def find_declaration(project: Path, name: str, *, model_file: Path) -> Declaration | None:
    """Read what the project in the folder ``project`` declares of the model ``name``, if it does.

    Raises as ``read_declaration``.
    """
    file = project / PROJECT_FILE
    if not file.is_file():
        return None
    document = _document(file)
    _check_keys(document, ("models",), PROJECT_FILE)
    models = _table(document.get("models", {}), "models")
    if name not in models:
        return None
    return parse_declaration(
        _table(models[name], f"models.{name}"),
        folder=project,
        model_file=model_file,
        where=f"models.{name}.",
    )


def parse_declaration(
    document: Mapping[str, Any], *, folder: Path, model_file: Path, where: str = ""
) -> Declaration:
    """Check what a TOML document declares, and read the files that it names."""
    source = _Source(folder=folder, model_file=model_file)
    _check_keys(document, _fields(Declaration), where.rstrip(".") or "the declaration")
    values: dict[str, Any] = {}
    if "batch" in document:
        values["batch"] = _whole(document["batch"], f"{where}batch")
    for key, read in (("inputs", source.input), ("outputs", source.output)):
        entries = _table(document.get(key, {}), f"{where}{key}")
        values[key] = {
            name: read(_table(entry, path), path)
            for name, entry in entries.items()
            for path in [f"{where}{key}.{_key(name)}"]
        }
    wanted = _table(document.get("signatures", {}), f"{where}signatures")
    _check_keys(wanted, SIGNATURES, f"{where}signatures")
    values["signatures"] = {key: _flag(value, f"{where}signatures.{key}") for key, value in wanted.items()}
    return _made(Declaration, values, {"batch": document.get("batch")}, where.rstrip(".") or "declaration")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the values come from that a declaration only names."""

    folder: Path
    model_file: Path

    def input(self, entry: Mapping[str, Any], where: str) -> InputDeclaration:
        _check_keys(entry, _fields(InputDeclaration), where)
        steps = _list(entry.get("steps", []), f"{where}.steps", "a list of steps: [{ rescale = 0.0039 }]")
        values = self.values(InputDeclaration, {k: v for k, v in entry.items() if k != "steps"}, where, ())
        columns = values.get("columns", ())
        values["steps"] = tuple(self.step(s, f"{where}.steps[{i}]", columns) for i, s in enumerate(steps))
        return _made(InputDeclaration, values, entry, where)

    def output(self, entry: Mapping[str, Any], where: str) -> OutputDeclaration:
        _check_keys(entry, _fields(OutputDeclaration), where)
        return _made(OutputDeclaration, self.values(OutputDeclaration, entry, where, ()), entry, where)

    def step(self, given: Any, where: str, columns: tuple[str, ...]) -> Step:
        kinds = {kind.key(): kind for kind in STEPS}
        entry = _table(given, where)
        kind = next((kinds[key] for key in entry if key in kinds), None)
        if kind is None:
            raise SignatureError(
                f"{where} = {_toml(entry)}: no such step",
                hint=f"the steps are: {', '.join(kinds)}; as in {STEPS[0].EXAMPLE}",
            )
        _check_keys(entry, _fields(kind), where)
        return _made(kind, self.values(kind, entry, where, columns), entry, where, example=kind.EXAMPLE)

    def values(
        self, kind: type[Any], entry: Mapping[str, Any], where: str, columns: tuple[str, ...]
    ) -> dict[str, Any]:
        """Read each value of ``entry`` as what the field of that name in ``kind`` is."""
        readers: dict[str, Callable[[Any, str], Any]] = {
            **_READERS,
            "Numbers": lambda value, path: self.numbers(value, path, columns),
        }
        types = {field.name: str(field.type) for field in dataclasses.fields(kind)}
        return {
            key: self.words(value, f"{where}.{key}")
            if key in ("vocabulary", "labels")
            else readers[types[key].removesuffix(" | None")](value, f"{where}.{key}")
            for key, value in entry.items()
        }

    def numbers(self, value: Any, where: str, columns: tuple[str, ...]) -> Any:
        if not isinstance(value, Mapping):
            if isinstance(value, list):
                return tuple(_number(entry, f"{where}[{i}]") for i, entry in enumerate(value))
            return _number(value, where)
        if value.keys() == {"dataset"}:
            return read_numbers(self.model_file, _text(value["dataset"], f"{where}.dataset"), where=where)
        if value.keys() == {"npz", "array"}:
            file = self.folder / _text(value["npz"], f"{where}.npz")
            return read_numbers(file, _text(value["array"], f"{where}.array"), where=where)
        if columns and value.keys() == set(columns):
            return tuple(_number(value[column], f"{where}.{_key(column)}") for column in columns)
        by_column = f", or a number for each of the columns {', '.join(columns)}" if columns else ""
        raise SignatureError(
            f"{where} = {_toml(value)}: no such source of numbers",
            hint=f'{{ dataset = "PATH IN THE .h5" }} or {{ npz = "FILE", array = "NAME" }}{by_column}',
        )

    def words(self, value: Any, where: str) -> tuple[str, ...]:
        if isinstance(value, str):
            return read_words(self.folder / value, where=where)
        return _texts(value, where)


def _document(file: Path) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        return document
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the declaration {str(file)!r}: {error}", hint="it is a TOML file: --signature FILE"
        ) from error


def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _check_keys(entry: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    if unknown := entry.keys() - set(known):
        raise SignatureError(
            f"unknown key {', '.join(map(repr, sorted(unknown)))} in {where}",
            hint=f"the keys are: {', '.join(known)}",
        )


def _made(
    kind: type[T], values: Mapping[str, Any], entry: Mapping[str, Any], where: str, *, example: str = ""
) -> T:
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        known = f"the keys are: {', '.join(_fields(kind))}"
        raise SignatureError(
            f"{where} = {_toml(entry)}: {_said(error)}", hint=f"as in {example}" if example else known
        ) from error


def _said(error: Exception) -> str:
    """Return what a value says of itself, or in our words which key is missing."""
    if isinstance(error, TypeError) and "required" in str(error):
        return "needs " + ", ".join(str(error).split("'")[1::2])
    return str(error)


def _wrong(where: str, value: Any, wanted: str) -> SignatureError:
    return SignatureError(f"{where} = {_toml(value)}: not {wanted}", hint=f"it is {wanted}")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "a table of keys and values")
    return value


def _list(value: Any, where: str, wanted: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(where, value, wanted)
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(where, value, "true or false")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, value, "text in quotes")
    return value


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(where, value, "a whole number")
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not -1e38 < value < 1e38:
        raise _wrong(where, value, "a finite number")
    return float(value)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    entries = _list(value, where, 'a list of texts: ["a", "b"]')
    return tuple(_text(entry, f"{where}[{i}]") for i, entry in enumerate(entries))


def _sizes(value: Any, where: str) -> tuple[int, ...]:
    entries = _list(value, where, "a list of sizes: [224, 224]")
    return tuple(_whole(entry, f"{where}[{i}]") for i, entry in enumerate(entries))


def _shape(value: Any, where: str) -> tuple[int | None, ...]:
    sizes = _sizes(value, where)
    if any(size < 1 and size != -1 for size in sizes):
        raise _wrong(where, value, "a list of sizes from 1, or -1 where free: [-1, -1, 3]")
    return tuple(None if size == -1 else size for size in sizes)


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _flag,
    "Shape": _shape,
    "tuple[int, int]": _sizes,
    "tuple[str, ...]": _texts,
}
"""How a value is read, by the type of the field that it is for."""


def _key(name: str) -> str:
    """Write a key as TOML has it: bare where it can be."""
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else json.dumps(name)


def _toml(value: Any) -> str:
    """Write a value as it stands in a TOML file, shortened where it is long."""
    text = _written(value)
    return text if len(text) <= 120 else f"{text[:120]} …"


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        entries = (f"{_key(key)} = {_written(entry)}" for key, entry in value.items())
        return f"{{ {', '.join(entries)} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value) if isinstance(value, (str, bool)) else str(value)
