"""The image of a model: a base, the model's files, and how it runs; in an engine, a layout or a registry."""

from packager.image.build import build_image, rebuild_on_paper
from packager.image.cache import Cache, cache_folder
from packager.image.embedded import Runtime, embedded_runtime, host_platform
from packager.image.image import Image
from packager.image.layout import read_layout
from packager.image.prospect import describe_base
from packager.image.pushing import push_image
from packager.image.reading import files_in
from packager.image.remote import remote_image
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
    "Cache",
    "Image",
    "remote_image",
    "files_in",
    "host_platform",
]
