"""From a Keras ``.h5`` file to a TensorFlow Serving image that is proven to answer right.

The functions here are the verbs of the command, with the same names: ``packager.inspect("model.h5")``,
``packager.package("model.h5", name="digits", tag="digits:1")``. They return the frozen values of
``packager.values`` and raise the errors of ``packager.errors``. ``packager.running`` gives tests of
your own a server to ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packager.pipeline import build, convert, doctor, inspect, package, push, running, serve, smoke

__all__ = ["inspect", "convert", "build", "smoke", "push", "package", "running", "serve", "doctor"]


def __getattr__(name: str) -> Any:
    # Found when first used: the embedded server is inside this package and must start with nothing else.
    if name in __all__:
        from packager import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'packager' has no attribute {name!r}")
