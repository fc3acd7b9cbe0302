"""Rebuilding the model: from an inspected file to a Keras model whose weights are proven to be the file's.

Which library rebuilds a file is decided by who wrote it, never by trial: Keras 3 reads many Keras 2 files
without an error and answers wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packager.errors import ModelLoadError
from packager.loading.model import LoadedModel, ModelInput
from packager.values import Inspection

__all__ = ["LoadedModel", "ModelInput", "load_model"]


def load_model(path: Path, inspection: Inspection, config: Mapping[str, Any]) -> LoadedModel:
    """Rebuild the model that ``config`` (the file's architecture) tells, with the weights of ``path``.

    Raises ModelLoadError where the architecture or the weights cannot be rebuilt exactly.
    """
    generation = inspection.keras_generation
    if inspection.backend not in (None, "tensorflow", "jax", "torch"):
        raise ModelLoadError(
            f"the weights were written on backend {inspection.backend!r}, which flips convolution kernels",
            hint="load and save the model once with Keras on TensorFlow",
        )
    if generation == 3:
        from packager.loading import keras3

        return keras3.load(path, config)
    if generation == 2:
        from packager.loading import keras2

        return keras2.load(path, config)
    if generation == 1:
        raise ModelLoadError(
            f"a Keras {inspection.keras_version} file: its layers have other names and arguments today",
            hint="load it with Keras 2 and save it again",
        )
    raise ModelLoadError(
        "the file does not say which Keras wrote it",
        hint="load it with the Keras it was made with and save it again",
    )
