"""What requests are once they are read, and what the reading of all of them has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from packager.serving.native.signatures import Signature
from packager.serving.native.tensors import Tensor
from packager.serving.rest.debug_text import debug_text
from packager.serving.rest.strings import is_base64_object
from packager.serving.status import StatusError, invalid_argument

SMALL_BODY = 8192
"""Bytes that take little time to read, whatever they are."""

FindSignature = Callable[[str], Signature]
"""Finds a signature by the key in the request, empty where there is none; or raises StatusError."""


@dataclass(slots=True)
class PredictRequest:
    """A predict request, ready to run."""

    signature: Signature
    inputs: Mapping[str, Tensor]
    in_rows: bool
    """Whether the inputs came as ``instances``, so that the outputs go back as ``predictions``."""


@dataclass(frozen=True, slots=True)
class ExamplesRequest:
    """A request to classify examples, or to find a value for each."""

    signature_name: str
    examples: list[bytes]
    """Serialised ``tensorflow.Example`` messages."""


def is_named(value: Any) -> bool:
    """Tell whether a value is an object of inputs by name, and not bytes."""
    return isinstance(value, dict) and not is_base64_object(value)


def check_object(document: Any) -> None:
    """Raise StatusError if a request is not a JSON object."""
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")


def signature_name(document: Mapping[str, Any]) -> str:
    """Return the key of the signature that a request names, empty where it names none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def format_error(value: Any, problem: str) -> StatusError:
    """Return the error of a request whose form is wrong; it quotes the request."""
    return invalid_argument(f"JSON Value: {debug_text(value)} {problem}")
