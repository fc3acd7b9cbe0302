"""The embedded base: an image of packager's own runtime, made offline of what is installed here."""

from packager.image.embedded.parts import tensorflow_version
from packager.image.embedded.runtime import DEBIAN, HOST, Runtime, embedded_runtime, host_platform

__all__ = ["HOST", "DEBIAN", "Runtime", "embedded_runtime", "host_platform", "tensorflow_version"]
