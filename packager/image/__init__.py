"""The image of a model: a base, the model's files, and how it runs; in an engine, a layout or a registry."""

from packager.image.build import build_image, rebuild_on_paper
from packager.image.cache import cache_folder
from packager.image.embedded import Runtime, embedded_runtime
from packager.image.layout import read_layout
from packager.image.prospect import describe_base
from packager.image.pushing import push_image
from packager.image.verifying import verify_image

__all__ = [
    "build_image",
    "rebuild_on_paper",
    "verify_image",
    "push_image",
    "read_layout",
    "describe_base",
    "embedded_runtime",
    "Runtime",
    "cache_folder",
]
