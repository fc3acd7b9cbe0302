"""What weights of Keras 1 and 2 need of the model they go into, so that it answers as their own did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packager.errors import ModelLoadError
from packager.loading.theano import has_kernels

if TYPE_CHECKING:
    from packager.loading.target import Target


def check_writer(target: Target, version: str | None, backend: str | None) -> None:
    """Raise ModelLoadError where the answers would silently be others, or hang on what nobody recorded."""
    is_keras3 = target.library.name().startswith("keras")
    generation = 1 if version is None or version.startswith("1") else 2
    if is_keras3 and (generation == 1 or backend == "theano") and _needs_turning(target.model):
        raise ModelLoadError(
            f"weights of Keras {version or '1'}{_on(backend)} do not fit layers of Keras 3 as they are",
            hint="build the architecture with tf_keras: import tf_keras as keras",
        )
    if is_keras3 and _uses_hard_sigmoid(target.model):
        raise ModelLoadError(
            "the architecture uses hard_sigmoid, which is another function in Keras 3 than it was",
            hint="build the architecture with tf_keras: import tf_keras as keras",
        )
    if not is_keras3:
        require_backend(target.model, version, backend)


def require_backend(model: Any, version: str | None, backend: str | None) -> None:
    """Ask for the backend of a file of Keras 1 where it makes a difference."""
    keras1 = version is None or version.startswith("1")
    if keras1 and backend is None and has_kernels(model):
        raise ModelLoadError(
            f"a Keras {version or '1'} file, backend not recorded: Theano turned convolution kernels",
            hint="--keras1-backend theano, or --keras1-backend tensorflow",
        )


def _on(backend: str | None) -> str:
    return f" on {backend}" if backend else ""


def _needs_turning(model: Any) -> bool:
    words = ("Conv", "LSTM", "GRU", "RNN")
    return any(word in type(layer).__name__ for layer in model._flatten_layers() for word in words)


def _uses_hard_sigmoid(model: Any) -> bool:
    functions = (
        getattr(layer, attribute, None)
        for layer in model._flatten_layers()
        for attribute in ("activation", "recurrent_activation")
    )
    return any(getattr(function, "__name__", "") == "hard_sigmoid" for function in functions)
