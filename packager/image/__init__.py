"""The image of a model: a base, the model's files, and how it runs; in an engine or as a layout on disk."""

from packager.image.build import build_image
from packager.image.embedded import Runtime, embedded_runtime

__all__ = ["build_image", "embedded_runtime", "Runtime"]
