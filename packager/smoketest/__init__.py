"""The smoke test: a running server has to answer what the source model answered."""

from packager.smoketest.load import put_load, request_of
from packager.smoketest.running import Running, running_folder, running_image
from packager.smoketest.smoke import smoke_folder, smoke_image
from packager.smoketest.timeline import Timeline

__all__ = [
    "smoke_folder",
    "smoke_image",
    "Timeline",
    "running_folder",
    "running_image",
    "Running",
    "put_load",
    "request_of",
]
