"""JSON answers, byte for byte as RapidJSON's PrettyWriter lays out TensorFlow Serving's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from packager.serving.examples import Classified
from packager.serving.native.dtypes import ARRAY_CODES, DType
from packager.serving.native.tensors import Tensor
from packager.serving.rest.decimals import double_texts, float_texts
from packager.serving.rest.strings import encode_base64, quote, to_bytes, to_text
from packager.serving.status import StatusError, invalid_argument

_INDENT = "    "
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode

_UNWRITTEN = {DType.UINT16}
"""Types that Python has numbers for and TensorFlow Serving writes no JSON for."""

Brackets = Callable[[int], tuple[str, str, str]]
"""What opens, separates and closes an array, by its depth in the document."""


def predictions(outputs: Mapping[str, Tensor]) -> bytes:
    """Answer in row form: a list with one element for each instance."""
    count = _batch_size(outputs)
    depth = 3 if len(outputs) > 1 else 2
    columns = [_rows(name, tensor, depth) for name, tensor in outputs.items()]
    if len(columns) == 1:
        return _row_answer("predictions", columns[0])
    members = [
        ",".join(f"\n{_INDENT * 3}{quote(name)}: {cell}" for name, cell in zip(outputs, cells, strict=True))
        for cells in (zip(*columns, strict=True) if count else ())
    ]
    objects = [f"\n{_INDENT * 2}{{{text}\n{_INDENT * 2}}}" for text in members]
    return _row_answer("predictions", objects, separator=",")


def outputs_object(outputs: Mapping[str, Tensor]) -> bytes:
    """Answer in columnar form: each output as a whole."""
    if len(outputs) == 1:
        [(name, tensor)] = outputs.items()
        [text] = _nested(_texts(name, tensor, 1 + len(tensor.shape)), tensor.shape, 1, _many_lines)
    else:
        members = (
            f"\n{_INDENT * 2}{quote(name)}: "
            + _nested(_texts(name, tensor, 2 + len(tensor.shape)), tensor.shape, 2, _many_lines)[0]
            for name, tensor in outputs.items()
        )
        text = f"{{{','.join(members)}\n{_INDENT}}}"
    return to_bytes(f'{{\n{_INDENT}"outputs": {text}\n}}')


def classifications(results: Sequence[Sequence[Classified]]) -> bytes:
    """Answer a classify request: for each example its classes, as pairs of label and score."""
    return _row_answer("results", [_classes_text(classes) for classes in results])


def regressions(values: Sequence[float]) -> bytes:
    """Answer a regress request: a value for each example."""
    return to_bytes(f'{{\n{_INDENT}"results": [{", ".join(float_texts(values))}]\n}}')


def error(failure: StatusError) -> bytes:
    """Answer with an error."""
    return to_bytes(f'{{\n{_INDENT}"error": {quote(failure.message)}\n}}')


def message(value: Any) -> str:
    """Write a message as protobuf's JSON printer does."""
    return f"{_printed(value)}\n"


def _printed(value: Any, margin: str = "") -> str:
    """Return what ``json.dumps`` does with ``indent=1``, which leaves 34 objects in cycles each time."""
    inner = f"\n{margin} "
    match value:
        case dict() if value:
            members = (
                f"{inner}{_ENCODE(key)}: {_printed(held, margin + ' ')}" for key, held in value.items()
            )
            return f"{{{','.join(members)}\n{margin}}}"
        case list() if value:
            return f"[{','.join(inner + _printed(held, margin + ' ') for held in value)}\n{margin}]"
    return _ENCODE(value)


def _row_answer(key: str, items: Sequence[str], separator: str = ", ") -> bytes:
    end = f"\n{_INDENT}" if items else ""
    return to_bytes(f'{{\n{_INDENT}"{key}": [{separator.join(items)}{end}]\n}}')


def _classes_text(classes: Sequence[Classified]) -> str:
    scores = float_texts([found.score for found in classes])
    pairs = (f"[{quote(to_text(found.label))}, {text}]" for found, text in zip(classes, scores, strict=True))
    return f"[{', '.join(pairs)}]"


def _batch_size(outputs: Mapping[str, Tensor]) -> int:
    size = -1
    for name, tensor in outputs.items():
        if not tensor.shape:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if size not in (-1, tensor.shape[0]):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {tensor.shape[0]} expecting: {size}"
            )
        size = tensor.shape[0]
    return size


def _rows(name: str, tensor: Tensor, depth: int) -> list[str]:
    """Return the text of each element along the first axis."""
    texts = _texts(name, tensor, depth - 1 + len(tensor.shape))
    return _nested(texts, tensor.shape, depth - 1, _one_line, outermost=1)


def _nested(
    texts: list[str], shape: Sequence[int], depth: int, brackets: Brackets, *, outermost: int = 0
) -> list[str]:
    """Join the texts of the elements to nested arrays, from the innermost axis to the ``outermost``."""
    for axis in range(len(shape) - 1, outermost - 1, -1):
        opening, separator, closing = brackets(depth + axis)
        size = shape[axis]
        texts = [
            f"{opening}{separator.join(texts[i * size : (i + 1) * size])}{closing}" if size else "[]"
            for i in range(prod(shape[:axis]))
        ]
    return texts


def _one_line(_depth: int) -> tuple[str, str, str]:
    return "[", ", ", "]"


def _many_lines(depth: int) -> tuple[str, str, str]:
    inner = f"\n{_INDENT * (depth + 1)}"
    return f"[{inner}", f",{inner}", f"\n{_INDENT * depth}]"


def _texts(name: str, tensor: Tensor, depth: int) -> list[str]:
    """Return the text of each element; ``depth`` is that of an element."""
    match tensor.dtype:
        case DType.FLOAT:
            return float_texts(tensor.to_list())
        case DType.DOUBLE:
            return double_texts(tensor.to_list())
        case DType.STRING if name.endswith("_bytes"):
            return [_base64_object(value, depth) for value in tensor.to_strings()]
        case DType.STRING:
            return [quote(to_text(value)) for value in tensor.to_strings()]
        case DType.BOOL:
            return ["true" if value else "false" for value in tensor.to_list()]
        case dtype if dtype in ARRAY_CODES and dtype not in _UNWRITTEN:
            return [str(value) for value in tensor.to_list()]
        case dtype if tensor.size:
            raise invalid_argument(f"Failed to write JSON value for tensor type: {dtype.label}")
    return []


def _base64_object(value: bytes, depth: int) -> str:
    return f'{{\n{_INDENT * (depth + 1)}"b64": "{encode_base64(value)}"\n{_INDENT * depth}}}'
