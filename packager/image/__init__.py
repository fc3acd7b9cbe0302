"""The image of a model: a base, the model's files, and how it runs; in an engine, a layout or a registry."""

from packager.image.bases import check_base
from packager.image.build import build_image, publish_image, rebuild_on_paper
from packager.image.cache import Cache, cache_folder
from packager.image.checkout import checkout_of
from packager.image.compression import check_compression
from packager.image.embedded import Runtime, embedded_runtime, host_platform, tensorflow_version
from packager.image.image import Image
from packager.image.layout import read_layout
from packager.image.official import official_reference
from packager.image.origin import check_origin
from packager.image.prospect import describe_base
from packager.image.pushing import push_from_engine, push_image, push_layout
from packager.image.reading import files_in
from packager.image.remote import remote_image
from packager.image.signing import check_cosign, sign
from packager.image.verifying import verify_image

__all__ = [
    "check_base",
    "build_image",
    "publish_image",
    "rebuild_on_paper",
    "verify_image",
    "check_origin",
    "check_cosign",
    "sign",
    "push_image",
    "push_layout",
    "push_from_engine",
    "checkout_of",
    "check_compression",
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
    "official_reference",
    "tensorflow_version",
]
