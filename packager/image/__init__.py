"""The image of a model: a base, the model's files, and how it runs; in an engine or as a layout on disk."""

from packager.image.build import build_image
from packager.image.cache import cache_folder
from packager.image.embedded import Runtime, embedded_runtime
from packager.image.prospect import describe_base

__all__ = ["build_image", "describe_base", "embedded_runtime", "Runtime", "cache_folder"]
