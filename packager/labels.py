"""The labels that packager writes into its images, and reads back from them."""

from __future__ import annotations

from collections.abc import Mapping

MODEL = "org.tfserving-packager.model"
"""Name of the model that the image serves; of several, comma separated."""

VERSIONS = "org.tfserving-packager.versions"
"""The version numbers inside, comma separated, ascending: ``1,2``; of several models ``a/1,a/2,b/1``."""

CONTRACTS = "org.tfserving-packager.contracts"
"""Digests of their contract files in that order, ``none`` for a version without: ``sha256:…,sha256:…``."""

TENSORFLOW = "org.tfserving-packager.tensorflow"
"""Version of the TensorFlow that exported the model, or that the embedded runtime is made of."""

SOURCE = "org.tfserving-packager.source"
"""What each version was made from: ``digits/1=sha256:…`` of the ``.h5`` file, comma separated."""

RUNTIME = "org.tfserving-packager.runtime"
"""``embedded`` on images whose server is packager's own, with the digest of its parts."""

PACKAGES = "org.tfserving-packager.packages"
"""What the embedded runtime is made of: package URLs (``pkg:pypi/grpcio@1.68.0``), separated by spaces."""


def models_told(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the models that an image's labels tell of."""
    return tuple(filter(None, labels.get(MODEL, "").split(",")))


def versions_told(labels: Mapping[str, str], model: str) -> tuple[int, ...]:
    """Return the versions of ``model`` that an image's labels tell of, none where they do not."""
    listed = labels.get(VERSIONS, "").split(",")
    if models_told(labels) != (model,):
        listed = [entry.removeprefix(f"{model}/") for entry in listed if entry.startswith(f"{model}/")]
    return tuple(map(int, listed)) if all(map(str.isdecimal, listed)) else ()
