"""What Keras raises while it rebuilds a model, told in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from packager.errors import ModelLoadError, PackagerError

_UNKNOWN = (
    re.compile(
        r"Unknown (?P<what>layer|activation function|initializer|regularizer|constraint): '?(?P<name>[\w>.]+)"
    ),
    re.compile(r"Could not locate (?P<what>class|function) '(?P<name>[^']+)'"),
)
"""How tf_keras and Keras 3 name a class that they do not know."""


@contextmanager
def loader_failures(loader: str) -> Iterator[None]:
    """Turn whatever ``loader`` raises inside into ModelLoadError; its own words stay in the details."""
    try:
        yield
    except (PackagerError, MemoryError):
        raise
    except Exception as error:  # Keras raises every kind of exception for a bad config
        text = " ".join(str(error).split())
        for pattern in _UNKNOWN:
            if match := pattern.search(text):
                raise ModelLoadError(
                    f"unknown {match['what']} {match['name']!r}",
                    hint=f"{loader} has none of that name: custom objects are code, which no .h5 file holds",
                    details=text[:2000],
                ) from error
        raise ModelLoadError(
            f"{loader} cannot rebuild the model: {_first_sentence(text) or type(error).__name__}",
            hint="packager inspect FILE shows what the file holds",
            details=text[:2000],
        ) from error


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0][:200]
