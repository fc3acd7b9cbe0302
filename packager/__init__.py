"""From a Keras ``.h5`` file to a TensorFlow Serving image that is proven to answer right.

The functions here are the verbs of the command, with the same names: ``packager.inspect("model.h5")``,
``packager.package("model.h5", name="digits", tag="digits:1")``. They return the frozen values of
``packager.values`` and raise the errors of ``packager.errors``. ``packager.running`` gives tests of
your own a server to ask, ``packager.describe`` is ``inspect`` for models that were made already.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packager.auditing import audit
    from packager.interface import client, describe, diff, openapi
    from packager.pipeline import (
        build,
        convert,
        doctor,
        inspect,
        package,
        propose_mapping,
        push,
        running,
        serve,
        smoke,
        suggest_architecture,
        verify,
    )

_FROM = {
    "pipeline": (
        "inspect",
        "convert",
        "build",
        "smoke",
        "push",
        "verify",
        "package",
        "propose_mapping",
        "suggest_architecture",
        "running",
        "serve",
        "doctor",
    ),
    "auditing": ("audit",),
    "interface": ("describe", "diff", "openapi", "client"),
}

__all__ = [
    "inspect",
    "convert",
    "build",
    "smoke",
    "push",
    "verify",
    "package",
    "propose_mapping",
    "suggest_architecture",
    "running",
    "serve",
    "doctor",
    "describe",
    "diff",
    "openapi",
    "client",
    "audit",
]


def __getattr__(name: str) -> Any:
    # Found when first used: the embedded server is inside this package and must start with nothing else.
    for module, names in _FROM.items():
        if name in names:
            return getattr(import_module(f"packager.{module}"), name)
    raise AttributeError(f"module 'packager' has no attribute {name!r}")
