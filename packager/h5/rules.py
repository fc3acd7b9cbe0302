"""The rules of the static gate: a stable id, a severity and a description each.

Ids that start with ``H5-`` are about the HDF5 file, those with ``KERAS-`` about the architecture in it.
An id, once released, keeps its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from packager.values import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that the gate looks for."""

    id: str
    severity: Severity
    summary: str

    def at(self, path: str, message: str, *, layer: str = "") -> Finding:
        """Return the finding of this rule at ``path``."""
        return Finding(
            rule=self.id,
            severity=self.severity,
            path=printable(shorten(path)),
            message=printable(message),
            layer=printable(shorten(layer)),
        )


def quote(text: str) -> str:
    """Quote ``text`` from a file: printable, and not longer than a line."""
    return repr(shorten(text, 100))


def shorten(text: str, limit: int = 300) -> str:
    """Cut ``text`` where it is longer than anyone would read."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def printable(text: str) -> str:
    """Return ``text`` from a file without what a terminal would take for a command."""
    return text if text.isprintable() else repr(text)[1:-1]


def _error(rule: str, summary: str) -> Rule:
    return Rule(id=rule, severity=Severity.ERROR, summary=summary)


def _note(rule: str, summary: str) -> Rule:
    return Rule(id=rule, severity=Severity.NOTE, summary=summary)


def _warning(rule: str, summary: str) -> Rule:
    return Rule(id=rule, severity=Severity.WARNING, summary=summary)


SOFT_LINK = _error("H5-SOFT-LINK", "a soft link, which no Keras writes")
EXTERNAL_LINK = _error("H5-EXTERNAL-LINK", "a link into another file")
UNKNOWN_LINK = _error("H5-UNKNOWN-LINK", "a link of a user-defined kind")
EXTERNAL_STORAGE = _error("H5-EXTERNAL-STORAGE", "a dataset whose bytes are in another file")
VIRTUAL_DATASET = _error("H5-VIRTUAL-DATASET", "a dataset put together from other datasets or files")
DECLARED_SIZE = _error("H5-DECLARED-SIZE", "a declared size far beyond what the file stores")
COMPRESSION_BOMB = _error("H5-COMPRESSION-BOMB", "compressed data that would fill the memory")
DAMAGED = _error("H5-DAMAGED", "an object that libhdf5 cannot read")
TOO_MANY_OBJECTS = _error("H5-TOO-MANY-OBJECTS", "more objects, or deeper groups, than any model has")
HARD_LINK = _warning("H5-HARD-LINK", "a second name for an object, or a cycle")
UNWRITTEN = _warning("H5-UNWRITTEN", "a dataset that was declared and never written")
UNKNOWN_FILTER = _warning("H5-UNKNOWN-FILTER", "a compression filter that needs a plugin of libhdf5")
MISSING_WEIGHTS = _warning("H5-MISSING-WEIGHTS", "weights that are listed and not there")

CONFIG = _error("KERAS-CONFIG", "an architecture that is not the JSON of a Keras model")
NESTING = _error("KERAS-NESTING", "an architecture nested deeper than any model is")
LAMBDA = _error("KERAS-LAMBDA", "Python bytecode that loading would run")
AFFINE_LAMBDA = _note("KERAS-LAMBDA-AFFINE", "Python bytecode that only scales and shifts: a Rescaling layer")
PICKLE = _error("KERAS-PICKLE", "a pickled object that loading would run")
TF_FUNCTION = _error("KERAS-TF-FUNCTION", "a TensorFlow function that is not a plain tensor operation")
IMPORT = _error("KERAS-IMPORT", "a class or function that loading would import from outside Keras")
FILE_ACCESS = _error("KERAS-FILE-ACCESS", "a file elsewhere that loading would read")
CUSTOM_OBJECT = _warning("KERAS-CUSTOM-OBJECT", "a class or function that Keras does not have")
VERSION = _warning("KERAS-VERSION", "a Keras version that is not recorded, or not the writer's")

RULES = (
    SOFT_LINK,
    EXTERNAL_LINK,
    UNKNOWN_LINK,
    EXTERNAL_STORAGE,
    VIRTUAL_DATASET,
    DECLARED_SIZE,
    COMPRESSION_BOMB,
    DAMAGED,
    TOO_MANY_OBJECTS,
    HARD_LINK,
    UNWRITTEN,
    UNKNOWN_FILTER,
    MISSING_WEIGHTS,
    CONFIG,
    NESTING,
    LAMBDA,
    AFFINE_LAMBDA,
    PICKLE,
    TF_FUNCTION,
    IMPORT,
    FILE_ACCESS,
    CUSTOM_OBJECT,
    VERSION,
)
"""All of them, for a report that describes its rules."""
